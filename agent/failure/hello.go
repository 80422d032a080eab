package failure

// Checks of Windows Hello and of authenticator apps.
const (
	WHPlatform   Code = "WH_PLATFORM"
	WHTPM        Code = "WH_TPM"
	WHBattery    Code = "WH_BATTERY"
	WHEnrolled   Code = "WH_ENROLLED"
	WHRegistered Code = "WH_REGISTERED"
	TOTPReady    Code = "TOTP_READY"
)

func helloEntries() []Entry {
	return []Entry{
		{
			Code: WHPlatform, Title: "Windows Hello",
			Remedy: "Use a security key, or a machine with Windows 10 or later that offers Windows Hello.",
			Spec:   "NHS: Windows Hello for Business",
		},
		{
			Code: WHTPM, Title: "Security chip (TPM 2.0) of the machine",
			Remedy: "Ask your IT team to switch on the TPM 2.0 in the firmware settings, or to clear its lock-out.",
			Spec:   "NHS: Windows Hello for Business",
		},
		{
			Code: WHBattery, Title: "Power for registering Windows Hello",
			Remedy: "Connect the machine to mains before you register Windows Hello: below 20 % of battery it fails.",
			Spec:   "NHS: manage Windows Hello for Business devices",
		},
		{
			Code: WHEnrolled, Title: "Windows Hello is set up for this user",
			Remedy: "Set up a PIN, a finger or a face in the Windows settings under “Sign-in options”, at the machine itself and not over remote desktop.",
			Mend:   Mend{Windows: "start ms-settings:signinoptions"},
		},
		{
			Code: WHRegistered, Title: "Registration of Windows Hello",
			Remedy: "Sign in once with Windows Hello to prove that it is registered, and ask ITOC (test environments) or your Registration Authority (live) to register it if that fails.",
		},
		{
			Code: TOTPReady, Title: "Authenticator app",
			Remedy: "Add an authenticator app to the user in the NHS self-service, write its secret to a file that you alone can read (mode 0600), and name that as `totp_file` of the user in the configuration.",
			Spec:   "SP 800-63B, 5.1.4; NHS: add an authenticator",
		},
	}
}
