package failure

// Checks and conditions of security keys.
const (
	FIDOUnavailable Code = "FIDO_UNAVAILABLE"
	FIDONeedsAdmin  Code = "FIDO_NEEDS_ADMIN"

	KeyPresent    Code = "KEY_PRESENT"
	KeyFIDO2      Code = "KEY_FIDO2"
	KeyL2         Code = "KEY_L2"
	KeyPINSet     Code = "KEY_PIN_SET"
	KeyPINRetries Code = "KEY_PIN_RETRIES"
	KeyRegistered Code = "KEY_REGISTERED"
	KeyCCID       Code = "KEY_CCID"

	KeyMute       Code = "KEY_MUTE"
	KeyHostile    Code = "KEY_HOSTILE"
	KeyUnreadable Code = "KEY_UNREADABLE"
	KeyBusy       Code = "KEY_BUSY"
	KeyForbidden  Code = "KEY_FORBIDDEN"
	KeyGone       Code = "KEY_GONE"
)

func keyEntries() []Entry {
	return []Entry{
		{
			Code: FIDOUnavailable, Title: "Security keys cannot be watched",
			Remedy: "See the detail for what the system said, put that right, and the daemon finds the keys by itself.",
		},
		{
			Code: FIDONeedsAdmin, Title: "Windows keeps security keys from this program",
			Remedy: "Run the daemon as a Windows service, because Windows lets only administrators talk to security keys directly.",
			Mend:   Mend{Windows: "authbridge service install   # in an elevated prompt"},
		},
		{
			Code: KeyPresent, Title: "Security key",
			Remedy: "Plug in a security key, or unplug it and plug it in again if it is there.",
			Spec:   "CTAP 2.1, 11.2",
		},
		{
			Code: KeyFIDO2, Title: "FIDO2 on the security key",
			Remedy: "Use a security key that supports FIDO2: this one knows only the older U2F.",
			Spec:   "CTAP 2.1, 6.4: versions",
		},
		{
			Code: KeyL2, Title: "Certification of the security key",
			Remedy: "Use a security key that is certified for FIDO2 at level 2 or above, as the NHS asks.",
			Spec:   "NHS: security keys",
		},
		{
			Code: KeyPINSet, Title: "PIN of the security key",
			Remedy: "Set a PIN on the security key, in the settings of your system or browser under “security keys”.",
			Spec:   "CTAP 2.1, 6.4: options clientPin and uv",
		},
		{
			Code: KeyPINRetries, Title: "PIN tries left on the security key",
			Remedy: "Unplug the security key and plug it in again; if it is blocked for good, it must be reset, which erases all it holds, and registered anew.",
			Spec:   "CTAP 2.1, 6.5.5.2: getPINRetries",
		},
		{
			Code: KeyRegistered, Title: "Registration of the security key",
			Remedy: "Sign in once with this security key to prove that it is registered, and ask ITOC (test environments) or your Registration Authority (live) to register it if that fails; after a refusal name it by `--authenticator`.",
			Spec:   "NHS: manage security keys",
		},
		{
			Code: KeyCCID, Title: "Smartcard side of the security key",
			Remedy: "Unplug the security key while you sign in with a smartcard, or switch its smartcard function off with the maker's tool.",
			Spec:   "NHS: use a security key, “remove all cards”",
		},
		{
			Code: KeyMute, Title: "The security key does not answer",
			Remedy: "Unplug the security key and plug it in again, into another port if that changes nothing.",
			Spec:   "CTAP 2.1, 11.2.9.1",
		},
		{
			Code: KeyHostile, Title: "The security key breaks the rules of its protocol",
			Remedy: "Unplug this device and use another security key, because what it sends is not what a security key may send.",
			Spec:   "CTAP 2.1, 11.2.4",
		},
		{
			Code: KeyUnreadable, Title: "The security key cannot be read",
			Remedy: "Unplug the security key and plug it in again, and use another one if it still answers with an error.",
			Spec:   "CTAP 2.1, 6.4",
		},
		{
			Code: KeyBusy, Title: "Another program is using the security key",
			Remedy: "Finish or cancel what the other program asks of the security key, for example a browser that waits for a touch.",
			Spec:   "CTAP 2.1, 11.2.9.1.6: ERR_CHANNEL_BUSY",
		},
		{
			Code: KeyForbidden, Title: "This user may not open the security key",
			Remedy: "Sit at the machine's own screen, or join the group that may open security keys and log in anew, which takes the udev rule of authbridge.",
			Mend:   Mend{Linux: `sudo usermod -aG authbridge-keys "$USER"`},
		},
		{
			Code: KeyGone, Title: "The security key was unplugged",
			Remedy: "Plug the security key in again and leave it there until the work is done.",
		},
	}
}
