/*
 * A driver for pcscd (IFD handler 3.0): a USB reader without USB. pcscd loads
 * it for the device that its Info.plist names, and opens one channel a reader.
 *
 * The last number N of the device's path is the reader's. Its cable is the FIFO
 * N in FOLDER: whoever plugged it in holds the other end, and letting go of that
 * is the unplugging, which a running transfer notices at once, as one on a real
 * bus does. Its slot is the port PORT+N on the loopback; a connection there is a
 * card, and speaks as to vsmartcard's vpcd: two octets of length, most
 * significant first, then a command APDU or one octet of OFF, ON, RESET, ATR.
 */
#include <PCSC/wintypes.h>
#include <PCSC/pcsclite.h>
#include <PCSC/ifdhandler.h>
#include <PCSC/reader.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { OFF, ON, RESET, ATR = 4 };

struct reader {
	int cable, slot, card; /* descriptors; -1: none */
	uint32_t channel;      /* 0x0020BBAA: USB, its bus and address */
	unsigned char atr[MAX_ATR_SIZE];
	size_t atr_size;
};

static struct reader readers[PCSCLITE_MAX_READERS_CONTEXTS];

static struct reader *at(DWORD lun) { return &readers[(lun >> 16) % PCSCLITE_MAX_READERS_CONTEXTS]; }

static void let_go(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Whether fd can be read, waiting for that if asked to; an error if the reader
 * was unplugged, before or meanwhile. */
static RESPONSECODE readable(struct reader *r, int fd, int wait)
{
	struct pollfd p[] = {{r->cable, 0, 0}, {fd, POLLIN, 0}};

	while (poll(p, 2, wait ? -1 : 0) < 0)
		if (errno != EINTR)
			return IFD_COMMUNICATION_ERROR;
	if (p[0].revents)
		return IFD_NO_SUCH_DEVICE;
	return p[1].revents ? IFD_SUCCESS : IFD_RESPONSE_TIMEOUT;
}

static RESPONSECODE get(struct reader *r, unsigned char *to, size_t size)
{
	while (size > 0) {
		RESPONSECODE rc = readable(r, r->card, 1);
		if (rc != IFD_SUCCESS)
			return rc;
		ssize_t n = recv(r->card, to, size, MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			return IFD_COMMUNICATION_ERROR; /* the next look finds the slot empty */
		if (n > 0)
			to += n, size -= n;
	}
	return IFD_SUCCESS;
}

static RESPONSECODE put(struct reader *r, const unsigned char *message, size_t size)
{
	unsigned char frame[2 + 0xFFFF];

	if (r->card < 0)
		return IFD_COMMUNICATION_ERROR;
	if (size > 0xFFFF)
		return IFD_NOT_SUPPORTED;
	if (readable(r, r->card, 0) == IFD_NO_SUCH_DEVICE)
		return IFD_NO_SUCH_DEVICE;
	frame[0] = size >> 8, frame[1] = size;
	memcpy(frame + 2, message, size);
	/* In one piece, so that nothing waits for an acknowledgement. */
	return send(r->card, frame, 2 + size, MSG_NOSIGNAL) == (ssize_t)(2 + size) ? IFD_SUCCESS : IFD_COMMUNICATION_ERROR;
}

static RESPONSECODE ask(struct reader *r, const unsigned char *message, size_t size, unsigned char *answer, size_t most, size_t *got)
{
	unsigned char length[2];
	RESPONSECODE rc;

	*got = 0;
	if ((rc = put(r, message, size)) != IFD_SUCCESS || (rc = get(r, length, 2)) != IFD_SUCCESS)
		return rc;
	size_t n = (size_t)length[0] << 8 | length[1];
	if (n > most)
		return IFD_COMMUNICATION_ERROR;
	if ((rc = get(r, answer, n)) == IFD_SUCCESS)
		*got = n;
	return rc;
}

RESPONSECODE IFDHCreateChannelByName(DWORD lun, LPSTR device)
{
	struct reader *r = at(lun);
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const char *path = strstr(device, ":/dev/bus/usb/"); /* usb:VID/PID:libudev:0:/dev/bus/usb/BUS/ADDRESS */
	unsigned bus, number;
	char cable[256];
	int yes = 1;

	if (!path || sscanf(path, ":/dev/bus/usb/%u/%u", &bus, &number) != 2)
		return IFD_NO_SUCH_DEVICE;
	snprintf(cable, sizeof cable, "%s/%u", FOLDER, number);
	*r = (struct reader){.card = -1, .channel = 0x00200000 | bus << 8 | number};
	r->cable = open(cable, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	r->slot = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	address.sin_port = htons(PORT + number);
	if (r->cable < 0 || r->slot < 0 || setsockopt(r->slot, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) ||
	    bind(r->slot, (struct sockaddr *)&address, sizeof address) || listen(r->slot, 1)) {
		let_go(&r->cable);
		let_go(&r->slot);
		return IFD_COMMUNICATION_ERROR;
	}
	return IFD_SUCCESS;
}

RESPONSECODE IFDHCreateChannel(DWORD lun, DWORD channel)
{
	(void)lun, (void)channel;
	return IFD_NOT_SUPPORTED;
}

RESPONSECODE IFDHCloseChannel(DWORD lun)
{
	struct reader *r = at(lun);

	let_go(&r->card);
	let_go(&r->slot);
	let_go(&r->cable);
	return IFD_SUCCESS;
}

RESPONSECODE IFDHICCPresence(DWORD lun)
{
	struct reader *r = at(lun);
	char octet;

	if (readable(r, r->slot, 0) == IFD_NO_SUCH_DEVICE)
		return IFD_NO_SUCH_DEVICE;
	if (r->card < 0) {
		r->card = accept(r->slot, NULL, NULL);
		return r->card < 0 ? IFD_ICC_NOT_PRESENT : IFD_ICC_PRESENT;
	}
	ssize_t n = recv(r->card, &octet, 1, MSG_PEEK | MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		let_go(&r->card); /* one that waits to be next is for the next look */
		r->atr_size = 0;
		return IFD_ICC_NOT_PRESENT;
	}
	return IFD_ICC_PRESENT;
}

RESPONSECODE IFDHPowerICC(DWORD lun, DWORD action, PUCHAR atr, PDWORD size)
{
	struct reader *r = at(lun);
	unsigned char message = action == IFD_POWER_UP ? ON : action == IFD_RESET ? RESET : OFF;
	RESPONSECODE rc = put(r, &message, 1);

	if (message == OFF)
		return rc;
	*size = 0;
	if (rc == IFD_SUCCESS) {
		message = ATR;
		rc = ask(r, &message, 1, r->atr, sizeof r->atr, &r->atr_size);
	}
	if (rc != IFD_SUCCESS)
		return rc == IFD_NO_SUCH_DEVICE ? rc : IFD_ERROR_POWER_ACTION;
	memcpy(atr, r->atr, r->atr_size);
	*size = r->atr_size;
	return IFD_SUCCESS;
}

RESPONSECODE IFDHTransmitToICC(DWORD lun, SCARD_IO_HEADER send_pci, PUCHAR command, DWORD size, PUCHAR answer, PDWORD answer_size, PSCARD_IO_HEADER recv_pci)
{
	size_t got;
	RESPONSECODE rc = ask(at(lun), command, size, answer, *answer_size, &got);

	*answer_size = got;
	if (recv_pci)
		recv_pci->Protocol = send_pci.Protocol;
	return rc;
}

RESPONSECODE IFDHGetCapabilities(DWORD lun, DWORD tag, PDWORD size, PUCHAR value)
{
	struct reader *r = at(lun);
	unsigned char octet;
	const void *from = &octet;
	size_t n = 1;

	switch (tag) {
	case TAG_IFD_ATR:
	case SCARD_ATTR_ATR_STRING:
		from = r->atr, n = r->atr_size;
		break;
	case SCARD_ATTR_CHANNEL_ID:
		from = &r->channel, n = sizeof r->channel;
		break;
	case TAG_IFD_SIMULTANEOUS_ACCESS:
		octet = PCSCLITE_MAX_READERS_CONTEXTS;
		break;
	case TAG_IFD_SLOTS_NUMBER:
	case TAG_IFD_THREAD_SAFE: /* one reader waits for no other */
		octet = 1;
		break;
	default:
		return IFD_ERROR_TAG;
	}
	if (*size < n)
		return IFD_ERROR_INSUFFICIENT_BUFFER;
	memcpy(value, from, n);
	*size = n;
	return IFD_SUCCESS;
}

RESPONSECODE IFDHSetCapabilities(DWORD lun, DWORD tag, DWORD size, PUCHAR value)
{
	(void)lun, (void)tag, (void)size, (void)value;
	return IFD_ERROR_TAG;
}

RESPONSECODE IFDHSetProtocolParameters(DWORD lun, DWORD protocol, UCHAR flags, UCHAR pts1, UCHAR pts2, UCHAR pts3)
{
	(void)lun, (void)protocol, (void)flags, (void)pts1, (void)pts2, (void)pts3;
	return IFD_SUCCESS;
}

RESPONSECODE IFDHControl(DWORD lun, DWORD code, PUCHAR in, DWORD in_size, PUCHAR out, DWORD out_size, LPDWORD got)
{
	(void)lun, (void)code, (void)in, (void)in_size, (void)out, (void)out_size;
	*got = 0;
	return IFD_ERROR_NOT_SUPPORTED;
}
