package failure

// Failures of starting, configuring and finding the daemon.
const (
	ConfigInvalid     Code = "CONFIG_INVALID"
	ConfigNotWritten  Code = "CONFIG_NOT_WRITTEN"
	ListenNotLoopback Code = "LISTEN_NOT_LOOPBACK"
	PortTaken         Code = "PORT_TAKEN"
	PortNotAllowed    Code = "PORT_NOT_ALLOWED"
	StateUnusable     Code = "STATE_UNUSABLE"
	StateDamaged      Code = "STATE_DAMAGED"
	StateNewer        Code = "STATE_NEWER"
	StateLocked       Code = "STATE_LOCKED"
	PhysicalLocked    Code = "PHYSICAL_LOCKED"
	PhysicalOff       Code = "PHYSICAL_OFF"
	NotRunning        Code = "NOT_RUNNING"
	NotOurs           Code = "NOT_OURS"
	NotYours          Code = "NOT_YOURS"
	PageNotOpened     Code = "PAGE_NOT_OPENED"
	TrayNone          Code = "TRAY_NONE"
)

func startEntries() []Entry {
	return []Entry{
		{
			Code: ConfigInvalid, Title: "The configuration cannot be used",
			Remedy: "Correct the configuration at the place that the detail names; `authbridge config check` shows whether it is right.",
		},
		{
			Code: ConfigNotWritten, Title: "The configuration cannot be written",
			Remedy: "Make it a file that you can write to, in a folder that you can write to, or name another with `--config`.",
		},
		{
			Code: ListenNotLoopback, Title: "The address is not one of this machine alone",
			Remedy: "Listen on 127.0.0.1 or [::1], and mount the daemon's socket into a container that needs it.",
		},
		{
			Code: PortTaken, Title: "The port is taken",
			Remedy: "Stop the program that has the port, or choose another one with `--listen 127.0.0.1:PORT`, where 0 picks a free one; that of the daemon's mock is `listen` in `[mock]`.",
			Mend:   everywhere("authbridge run --listen 127.0.0.1:0"),
		},
		{
			Code: PortNotAllowed, Title: "The port is for the administrator",
			Remedy: "Choose a port from 1024 on, or let your programs have lower ones too: on Linux `sysctl net.ipv4.ip_unprivileged_port_start=443`.",
		},
		{
			Code: StateUnusable, Title: "The state folder cannot be used",
			Remedy: "Make the state folder one that only you own and can write to, or choose another with `--state-dir`.",
		},
		{
			Code: StateDamaged, Title: "A file of the state folder is damaged",
			Remedy: "Move the file that the detail or the daemon's log names out of the state folder, a database with its -wal and -shm, and start again: it is made anew, without what it held.",
		},
		{
			Code: StateNewer, Title: "The state folder belongs to a newer version",
			Remedy: "Run the newer version of authbridge, or choose another folder with `--state-dir`.",
		},
		{
			Code: StateLocked, Title: "Another daemon uses this state folder",
			Remedy: "Use the daemon that is running, stop it, or choose another folder with `--state-dir`.",
		},
		{
			Code: PhysicalLocked, Title: "Another daemon has the readers and keys of this machine",
			Remedy: "Use the daemon that has them, or stop it, and this one takes them over when it is started again.",
			Mend:   everywhere("authbridge service restart   # once the other has ended"),
		},
		{
			Code: PhysicalOff, Title: "Readers and keys of this machine are switched off",
			Remedy: "Start the daemon with `--physical on` to use the readers and keys of this machine.",
			Mend:   everywhere("authbridge run --physical on"),
		},
		{
			Code: NotRunning, Title: "The daemon does not answer",
			Remedy: "Start the daemon, as a service or in a terminal, or say where it is with `--state-dir`.",
			Mend:   everywhere("authbridge service start\nauthbridge run   # where nothing manages services"),
		},
		{
			Code: NotYours, Title: "The socket there is not for this user",
			Remedy: "Run this as the user whose daemon it is, in a container with `--user \"$(id -u)\"`, or reach it by TCP with AUTHBRIDGE_URL and AUTHBRIDGE_TOKEN.",
		},
		{
			Code: NotOurs, Title: "Something else answers at the daemon's address",
			Remedy: "Find out which program listens there with `authbridge doctor` before you send it a token.",
		},
		{
			Code: PageNotOpened, Title: "No browser has opened the page",
			Remedy: "Run `authbridge open --print`, and open the address that it writes within a minute.",
		},
		{
			Code: TrayNone, Title: "This desktop shows no tray icons",
			Remedy: "Look at the page with `authbridge open`, or in GNOME add the extension AppIndicator; prompts come as notifications all the same.",
			Mend:   everywhere("authbridge open"),
		},
	}
}
