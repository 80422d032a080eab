/*
 * A USB bus that does not exist. It prints the folder of its sysfs, then obeys
 * lines of "plug N" and "unplug N" and answers each when the udev event is out.
 * Programs with libumockdev-preload and UMOCKDEV_DIR see its devices.
 *
 * The library is loaded by hand: its headers would need the whole of GLib's.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

typedef void bed_t;

int main(void)
{
	void *library = dlopen("libumockdev.so.0", RTLD_NOW);
	if (!library) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	bed_t *(*new)(void) = (bed_t * (*)(void)) dlsym(library, "umockdev_testbed_new");
	char *(*root)(bed_t *) = (char *(*)(bed_t *))dlsym(library, "umockdev_testbed_get_root_dir");
	/* Adding a device sends its "add", removing it sends nothing. */
	char *(*add)(bed_t *, const char *, const char *, const char *, const char **, const char **) =
		(char *(*)(bed_t *, const char *, const char *, const char *, const char **, const char **))dlsym(library, "umockdev_testbed_add_devicev");
	void (*uevent)(bed_t *, const char *, const char *) = (void (*)(bed_t *, const char *, const char *))dlsym(library, "umockdev_testbed_uevent");
	void (*removed)(bed_t *, const char *) = (void (*)(bed_t *, const char *))dlsym(library, "umockdev_testbed_remove_device");
	if (!new || !root || !add || !uevent || !removed) {
		fprintf(stderr, "libumockdev is not as expected\n");
		return 1;
	}

	bed_t *bed = new ();
	char verb[16];
	int n;
	static char *device[128], *interface[128];

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("%s\n", root(bed));
	while (scanf("%15s %d", verb, &n) == 2 && n > 0 && n < 128) {
		if (verb[0] == 'p' && !device[n]) {
			char name[32], part[40], node[40], address[8], serial[8], padded[8], bus[8];
			snprintf(name, sizeof name, "%d-%d", BUS, n);
			snprintf(part, sizeof part, "%d-%d:1.0", BUS, n);
			snprintf(node, sizeof node, "/dev/bus/usb/%03d/%03d", BUS, n);
			snprintf(bus, sizeof bus, "%d", BUS);
			snprintf(address, sizeof address, "%d", n);
			snprintf(padded, sizeof padded, "%03d", n);
			snprintf(serial, sizeof serial, "%04d", n);
			const char *device_attributes[] = {"idVendor", "1209", "idProduct", "0001", "serial", serial, "busnum", bus, "devnum", address, "bDeviceClass", "00", NULL};
			const char *device_properties[] = {"DEVTYPE", "usb_device", "DEVNAME", node, "BUSNUM", bus, "DEVNUM", padded, "PRODUCT", "1209/1/100", NULL};
			const char *part_attributes[] = {"bInterfaceNumber", "00", "bInterfaceClass", "0b", NULL};
			const char *part_properties[] = {"DEVTYPE", "usb_interface", "PRODUCT", "1209/1/100", "INTERFACE", "11/0/0", NULL};
			device[n] = add(bed, "usb", name, NULL, device_attributes, device_properties);
			interface[n] = add(bed, "usb", part, device[n], part_attributes, part_properties);
		} else if (verb[0] == 'u' && device[n]) {
			uevent(bed, interface[n], "remove");
			uevent(bed, device[n], "remove");
			removed(bed, interface[n]);
			removed(bed, device[n]);
			free(interface[n]);
			free(device[n]);
			interface[n] = device[n] = NULL;
		} else {
			printf("cannot %s %d\n", verb, n);
			continue;
		}
		printf("ok\n");
	}
	return 0;
}
