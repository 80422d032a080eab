package failure

// Failures of the daemon as a service of the operating system.
const (
	ServiceNoManager Code = "SERVICE_NO_MANAGER"
	ServiceNoSession Code = "SERVICE_NO_SESSION"
	ServiceNone      Code = "SERVICE_NOT_INSTALLED"
	ServicePackaged  Code = "SERVICE_PACKAGED"
	ServiceRights    Code = "SERVICE_RIGHTS"
	ServiceProgram   Code = "SERVICE_PROGRAM"
	ServiceNoUser    Code = "SERVICE_NO_USER"
	ServiceRules     Code = "SERVICE_RULES"
	ServiceSilent    Code = "SERVICE_SILENT"
	ServiceFailed    Code = "SERVICE_FAILED"
)

func serviceEntries() []Entry {
	return []Entry{
		{
			Code: ServiceNoManager, Title: "Nothing here manages services",
			Remedy: "Run the daemon with `authbridge run`; in a container, mount the socket of the host's daemon instead.",
		},
		{
			Code: ServiceNoSession, Title: "The manager of your own services does not answer",
			Remedy: "Log in as yourself, not by su or sudo; where nobody logs in, `loginctl enable-linger` starts your services without a session.",
		},
		{
			Code: ServiceNone, Title: "The service is not installed",
			Remedy: "Install it: your own, or, as an administrator, that of the machine.",
			Mend: Mend{
				Linux:   "authbridge service install\nsudo authbridge service install --system   # the machine's",
				Windows: "authbridge service install   # in an elevated prompt",
				MacOS:   "authbridge service install\nsudo authbridge service install --system   # the machine's",
			},
		},
		{
			Code: ServicePackaged, Title: "The service came with a package",
			Remedy: "Stop it with `authbridge service stop`; keep it from starting with `systemctl --user mask authbridge`, or remove the package.",
		},
		{
			Code: ServiceRights, Title: "Services of this machine are for its administrator",
			Remedy: "Run the command again as administrator: with sudo, or in an elevated prompt.",
		},
		{
			Code: ServiceProgram, Title: "The system service would run a program that others can change",
			Remedy: "Put it where only an administrator writes and everybody reads, `sudo install authbridge /usr/local/bin` or, on Windows, a folder in Program Files, and install the service from there.",
		},
		{
			Code: ServiceNoUser, Title: "The system service has no user or group",
			Remedy: "Make them: `sudo groupadd --system authbridge-keys`, then `sudo useradd --system --user-group --groups authbridge-keys --home-dir /var/lib/authbridge authbridge`.",
			Mend:   Mend{Windows: "net localgroup authbridge /add   # in an elevated prompt"},
		},
		{
			Code: ServiceRules, Title: "Rules that give the system service keys and smartcards",
			Remedy: "Install the package, which brings the rules of udev and polkit, or install them from the folder of the archive or checkout.",
			Mend: Mend{Linux: `sudo cp installer/linux/71-authbridge.rules /etc/udev/rules.d
sudo cp installer/linux/authbridge.rules /etc/polkit-1/rules.d
sudo udevadm control --reload
sudo udevadm trigger --subsystem-match=hidraw --action=change`},
		},
		{
			Code: ServiceSilent, Title: "The service runs and does not answer",
			Remedy: "See why in its log with `journalctl --user -u authbridge -n 50`, that of the system service without `--user`, on Windows in the event log of applications, then `authbridge service restart`.",
		},
		{
			Code: ServiceFailed, Title: "The manager of services could not do it",
			Remedy: "See why in its log with `journalctl --user -u authbridge -n 50`, that of the system service without `--user`, on Windows in the event log of applications; `authbridge doctor` finds the usual reasons.",
		},
	}
}
