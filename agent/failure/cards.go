package failure

// Checks and conditions of readers and cards.
const (
	PCSCService      Code = "PCSC_SERVICE"
	PCSCNotInstalled Code = "PCSC_NOT_INSTALLED"
	PCSCUnavailable  Code = "PCSC_UNAVAILABLE"
	PCSCDenied       Code = "PCSC_DENIED"
	VPCDExposed      Code = "VPCD_EXPOSED"

	ReaderPresent Code = "READER_PRESENT"
	ReaderDriver  Code = "READER_DRIVER"

	CardPresent    Code = "CARD_PRESENT"
	CardSingle     Code = "CARD_SINGLE"
	CardSeries     Code = "CARD_SERIES"
	CardBlank      Code = "CARD_BLANK"
	CardMute       Code = "CARD_MUTE"
	CardHung       Code = "CARD_HUNG"
	CardInUse      Code = "CARD_IN_USE"
	CardUnreadable Code = "CARD_UNREADABLE"
	CardGone       Code = "CARD_GONE"

	CertValid     Code = "CERT_VALID"
	CertIssuerEnv Code = "CERT_ISSUER_ENV"
	CertUUID      Code = "CERT_UUID"

	PINRetries      Code = "PIN_RETRIES"
	PINTriesUnknown Code = "PIN_TRIES_UNKNOWN"

	MWPIV             Code = "MW_PIV"
	MWOberthur        Code = "MW_OBERTHUR"
	NHSPortService    Code = "NHS_PORT_SERVICE"
	NHSCM             Code = "NHS_CM"
	NHSClientConflict Code = "NHS_CLIENT_CONFLICT"
	NHSEnvReg         Code = "NHS_ENV_REG"
)

func cardEntries() []Entry {
	return []Entry{
		{
			Code: PCSCService, Title: "Smartcard service",
			Remedy: "Start the smartcard service, which Windows calls “Smart Card”.",
			Mend:   Mend{Linux: "sudo systemctl enable --now pcscd.socket\nsudo pcscd   # without systemd", Windows: "sc.exe start SCardSvr"},
			Spec:   "PC/SC part 5, SCardEstablishContext",
		},
		{
			Code: PCSCNotInstalled, Title: "The smartcard service is not installed",
			Remedy: "Install the smartcard service and the driver for readers.",
			Mend:   Mend{Linux: "sudo apt install pcscd libccid              # Debian, Ubuntu\nsudo dnf install pcsc-lite pcsc-lite-ccid   # Fedora"},
		},
		{
			Code: PCSCUnavailable, Title: "This build cannot use smartcard readers",
			Remedy: "Install a build of authbridge with smartcard support, which on Linux and macOS is one made with cgo.",
		},
		{
			Code: PCSCDenied, Title: "The smartcard service refuses this user",
			Remedy: "Let the user of the daemon use smartcards: install the polkit rule that comes with authbridge, or run the daemon as a service of the user who sits at the machine.",
			Spec:   "polkit actions org.debian.pcsc-lite.access_pcsc and access_card",
		},
		{
			Code: VPCDExposed, Title: "Virtual readers can be reached from the network",
			Remedy: "Block its port in the firewall, or take its file out of /etc/reader.conf.d while you do not need it, because vpcd listens on every address of this machine and whoever reaches it can insert a card.",
		},
		{
			Code: ReaderPresent, Title: "Smartcard reader", NHSCode: "READER_NOT_AVAILABLE",
			Remedy: "Plug in a smartcard reader, or unplug it and plug it in again if it is there.",
			Spec:   "PC/SC part 5, SCardListReaders",
		},
		{
			Code: ReaderDriver, Title: "Driver of the smartcard reader",
			Remedy: "Install the driver that the maker of the reader offers, or use a reader that needs none, then plug it in again.",
			Mend:   Mend{Linux: "sudo apt install libccid          # Debian, Ubuntu: for most readers\nsudo dnf install pcsc-lite-ccid   # Fedora"},
			Spec:   "NHS: Problem reading your smartcard",
		},
		{
			Code: CardPresent, Title: "Smartcard in the reader", NHSCode: "ERR1002",
			Remedy: "Put the smartcard into the reader, chip first and facing the contacts, until it stops.",
			Spec:   "NHS: ERR1002 unable to read smartcard",
		},
		{
			Code: CardSingle, Title: "Only one smartcard", NHSCode: "ERR1002",
			Remedy: "Leave only the smartcard that you sign in with, and take out all others.",
			Spec:   "NHS: ERR1002 unable to read smartcard",
		},
		{
			Code: CardSeries, Title: "Series of the smartcard", NHSCode: "SMARTCARD_NOT_SUPPORTED",
			Remedy: "Ask your Registration Authority for a new smartcard: series 4, 5 and 6 are blocked since spring 2026.",
			Spec:   "NHS: deprecation of smartcard series 4, 5 and 6",
		},
		{
			Code: CardBlank, Title: "Certificates on the smartcard", NHSCode: "NO_CERT_FOUND",
			Remedy: "Ask your Registration Authority to issue or repair the smartcard: the certificates on it are missing or damaged.",
			Spec:   "SP 800-73-4 part 1, 3.1 and 3.2",
		},
		{
			Code: CardMute, Title: "The smartcard does not answer", NHSCode: "ERR1002",
			Remedy: "Take the smartcard out, wipe its chip, and put it in again, chip first and facing the contacts.",
			Spec:   "PC/SC part 5, SCARD_STATE_MUTE",
		},
		{
			Code: CardHung, Title: "The smartcard stopped answering",
			Remedy: "Take the smartcard out and put it in again; if that changes nothing, unplug the reader too.",
		},
		{
			Code: CardInUse, Title: "Another program is using the smartcard",
			Remedy: "Wait until the other program is done with the smartcard, or close it.",
			Spec:   "PC/SC part 5, SCARD_E_SHARING_VIOLATION",
		},
		{
			Code: CardUnreadable, Title: "The smartcard cannot be read", NHSCode: "SMARTCARD_NOT_VALID",
			Remedy: "Try the smartcard in another reader, and ask your Registration Authority for a new one if it fails there too.",
		},
		{
			Code: CardGone, Title: "The smartcard was taken out",
			Remedy: "Put the smartcard in again and leave it there until the work is done.",
			Spec:   "PC/SC part 5, SCARD_W_REMOVED_CARD",
		},
		{
			Code: CertValid, Title: "Validity of the certificates",
			Remedy: "Renew the certificates on the smartcard: by self-service in the 90 days before they expire, after that at your Registration Authority in person.",
			Spec:   "NHS: self-renewal of smartcard certificates; RFC 5280, 4.1.2.5",
		},
		{
			Code: CertIssuerEnv, Title: "Environment of the smartcard",
			Remedy: "Use a smartcard that was issued for the environment you sign in to: a test card for test environments, a live card for live.",
			Spec:   "NHS: PKI certificate information",
		},
		{
			Code: CertUUID, Title: "User of the smartcard",
			Remedy: "Put in the smartcard of the user that was asked for, or ask for the user of this one.",
			Spec:   "NHS: 12-digit UUID at the start of the common name",
		},
		{
			Code: PINRetries, Title: "Passcode tries left", NHSCode: "PIN_BLOCKED",
			Remedy: "Unlock the smartcard at digital.nhs.uk/unlock or at your Registration Authority, and do not type a passcode you are unsure of while tries are few.",
			Spec:   "SP 800-73-4 part 2, 3.2.1: empty VERIFY",
		},
		{
			Code: PINTriesUnknown, Title: "The passcode tries left cannot be read",
			Remedy: "Take the smartcard out and put it in again: somebody left it unlocked, so that it does not say how many tries are left.",
			Spec:   "SP 800-73-4 part 2, 3.2.1: empty VERIFY on a verified card",
		},
		{
			Code: MWPIV, Title: "Driver for series 9 and 10 smartcards",
			Remedy: "Install the pending updates of Windows, which bring the driver for these smartcards.",
			Mend:   Mend{Windows: "start ms-settings:windowsupdate"},
		},
		{
			Code: MWOberthur, Title: "Driver for series 8 smartcards",
			Remedy: "Ask your IT team to install the Oberthur middleware, which series 8 smartcards need.",
		},
		{
			Code: NHSPortService, Title: "NHS Port Service", NHSCode: "PR20002",
			Remedy: "Start the NHS Port Service, or install NHS Credential Management again and restart the machine.",
			Spec:   "NHS: set up and troubleshoot Credential Management",
		},
		{
			Code: NHSCM, Title: "NHS Credential Management", NHSCode: "PR30007",
			Remedy: "Start NHS Credential Management, and sign out of Windows and in again if it was only just installed.",
			Spec:   "NHS: set up and troubleshoot Credential Management",
		},
		{
			Code: NHSClientConflict, Title: "NHS smartcard programs beside each other",
			Remedy: "Keep one of them: uninstall NHS Identity Agent or NHS Smartcard Connect, and old copies of NHS Credential Management.",
			Spec:   "NHS Smartcard Connect",
		},
		{
			Code: NHSEnvReg, Title: "Environment that NHS Identity Agent is set to",
			Remedy: "Ask an administrator to set the environment with the NHS IA Registry Editor.",
		},
	}
}
