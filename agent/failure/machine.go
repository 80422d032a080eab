package failure

// Checks of the machine and of the way to the target.
const (
	NetIssuer  Code = "NET_ISSUER"
	NetACR     Code = "NET_ACR"
	NetHSCN    Code = "NET_HSCN"
	ClockSkew  Code = "CLOCK_SKEW"
	EnvUUID    Code = "ENV_UUID"
	PortClash  Code = "PORT_CLASH"
	BrowserLNA Code = "BROWSER_LNA"
	OSSupport  Code = "OS_SUPPORT"
)

func machineEntries() []Entry {
	return []Entry{
		{
			Code: NetIssuer, Title: "Way to the sign-in service", NHSCode: "ERR1002",
			Remedy: "Connect to the network, and have `am.nhsint.auth-ptl.cis2.spineservices.nhs.uk` (INT) or `am.nhsidentity.spineservices.nhs.uk` (PROD) let through on port 443, past any proxy page; a configured issuer must be exact, with `:443`.",
			Spec:   "OpenID Connect Discovery 1.0, 4.3",
		},
		{
			Code: NetACR, Title: "Levels that the sign-in service offers",
			Remedy: "Ask for a level that the sign-in service offers: `AAL3_ANY` or `AAL2_OR_AAL3_ANY`.",
			Spec:   "NHS: ACR values",
		},
		{
			Code: NetHSCN, Title: "Way to the NHS network (HSCN)",
			Remedy: "Connect to HSCN or its VPN, or move to NHS Smartcard Connect, which works over the internet.",
		},
		{
			Code: ClockSkew, Title: "Clock of this machine",
			Remedy: "Set the clock of this machine by a time server: sign-ins fail when it is more than a minute off.",
			Mend:   Mend{Linux: "sudo timedatectl set-ntp true", Windows: "w32tm /resync", MacOS: "sudo sntp -sS time.apple.com"},
			Spec:   "RFC 7519, 4.1.4: client assertions of at most 5 minutes",
		},
		{
			Code: EnvUUID, Title: "User's UUID and environment",
			Remedy: "Use the UUID that the user has in this environment: 12 digits, and different in each environment.",
			Spec:   "NHS: test your software",
		},
		{
			Code: PortClash, Title: "Port of the daemon",
			Remedy: "Choose another port with `--listen`: this one belongs to NHS smartcard software or is taken.",
			Spec:   "NHS Credential Management: 43485, 43487, 44213, 45031, 46478, 48853, 55000",
		},
		{
			Code: BrowserLNA, Title: "Browser rules for local addresses",
			Remedy: "Ask your IT team to allow local addresses in the browser's policy, or call the daemon from the test program instead of from a page.",
			Spec:   "Chromium: Local Network Access",
		},
		{
			Code: OSSupport, Title: "Operating system for smartcard sign-in",
			Remedy: "Use a security key here, or a Windows machine for the smartcard: NHS smartcard software exists for Windows only.",
			Spec:   "NHS: smartcard sign-in, software on the workstation",
		},
	}
}
