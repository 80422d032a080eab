package failure

// Why an answer about readiness is what it is, beside the checks.
const (
	NoAuthenticator   Code = "NO_AUTHENTICATOR"
	VirtualNotCounted Code = "VIRTUAL_NOT_COUNTED"
	LevelNotReached   Code = "LEVEL_NOT_REACHED"
	NotRead           Code = "NOT_READ"
	AuthenticatorUser Code = "AUTHENTICATOR_USER"
)

func readinessEntries() []Entry {
	return []Entry{
		{
			Code: NoAuthenticator, Title: "No authenticator can be used",
			Remedy: "Insert a smartcard or plug in a security key; for the mock, `authbridge virtual insert` and `authbridge virtual plug` make virtual ones.",
		},
		{
			Code: VirtualNotCounted, Title: "Virtual authenticators count for the mock only",
			Remedy: "Use a real smartcard or security key for this target, or aim the test at the mock.",
			Spec:   "SP 800-63B, 5.1.8.1 and 5.1.9.1: a physical device",
		},
		{
			Code: LevelNotReached, Title: "Level that this kind of authenticator reaches",
			Remedy: "Ask for AAL2, or use a smartcard, a security key or Windows Hello for AAL3.",
			Spec:   "SP 800-63B, 4.2.1 and 4.3.1; NHS: authenticators",
		},
		{
			Code: NotRead, Title: "The authenticator was not read yet",
			Remedy: "Wait a moment: the authenticator is being read, and `--wait` waits for it.",
		},
		{
			Code: AuthenticatorUser, Title: "User of the authenticator",
			Remedy: "Bind the authenticator to the user with `authbridge config user bind`, or sign in once as this user with it, which settles whose it is; after a refusal name it by `--authenticator`.",
			Spec:   "SP 800-63B, 6.1",
		},
	}
}
