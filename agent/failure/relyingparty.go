package failure

// Checks of a running application against its registration, and why they cannot
// be made. BCL_SIM is among the assertions after a login.
const (
	RPRegistration Code = "RP_REGISTRATION"
	RPCertificate  Code = "RP_CERTIFICATE"
	RPRedirect     Code = "RP_REDIRECT"
	RPJWKS         Code = "RP_JWKS"
	RPPattern      Code = "RP_PATTERN"
	RPRequest      Code = "RP_REQUEST"
	RPCache        Code = "RP_CACHE"
	RPUnknown      Code = "RP_UNKNOWN"
	RPChoose       Code = "RP_CHOOSE"
	RPBusy         Code = "RP_BUSY"
)

func relyingPartyEntries() []Entry {
	return []Entry{
		{
			Code: RPRegistration, Title: "Registration of the application",
			Remedy: "Correct it in Connection Manager and in the configuration here, so that both say the same.",
			Spec:   "NHS: register to access an environment; put your software live",
		},
		{
			Code: RPCertificate, Title: "TLS and certificate of the application",
			Remedy: "Have the server send its certificate with all intermediate ones, for its public name, from an authority that everybody trusts, by TLS 1.2.",
			Spec:   "NHS: security considerations; RFC 6125; RFC 8446, 4.4.2",
		},
		{
			Code: RPRedirect, Title: "Redirect address of the application",
			Remedy: "Register the address octet by octet as the application sends it, and answer there also when no code comes.",
			Spec:   "OpenID Connect Core 1.0, 3.1.2.1; RFC 9700, 2.1",
		},
		{
			Code: RPJWKS, Title: "Published keys of the application",
			Remedy: "Publish public RSA keys of 2048 bits or more, each with its own `kid`, where anybody can fetch them without signing in.",
			Spec:   "RFC 7517; NHS: private key JWT",
		},
		{
			Code: RPPattern, Title: "How the application authenticates",
			Remedy: "Have the application authenticate in the way that is registered, or change the registration.",
			Spec:   "OpenID Connect Core 1.0, 9",
		},
		{
			Code: RPRequest, Title: "What the application asks for",
			Remedy: "Send a fresh `state`, `nonce` and PKCE challenge with each request, and ask only for what is registered.",
			Spec:   "OpenID Connect Core 1.0, 3.1.2.1; RFC 7636; RFC 9700, 2.1",
		},
		{
			Code: RPCache, Title: "Whether the application follows new keys and addresses",
			Remedy: "Fetch keys and discovery again at the latest after an hour, and keys also when a token names one that is not known.",
			Spec:   "NHS: discovery; OpenID Connect Core 1.0, 10.1.1",
		},
		{
			Code: RPUnknown, Title: "There is no such registration", Status: 404,
			Remedy: "Register the application in the configuration, as docs/configuration.md shows, or check its client id.",
		},
		{
			Code: RPChoose, Title: "Several applications are registered", Status: 400,
			Remedy: "Name one with `--client`, and with `--target` where it is registered in several places.",
		},
		{
			Code: RPBusy, Title: "Too many applications are being checked", Status: 429,
			Remedy: "Wait until one of the checks has ended.",
		},
	}
}
