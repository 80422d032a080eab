package failure

// Assertions after a login (domain 7.6).
const (
	TokISS    Code = "TOK_ISS"
	TokAUD    Code = "TOK_AUD"
	TokSIG    Code = "TOK_SIG"
	TokAAL    Code = "TOK_AAL"
	TokIAL    Code = "TOK_IAL"
	TokACRAMR Code = "TOK_ACR_AMR"
	TokFresh  Code = "TOK_FRESH"
	TokSub    Code = "TOK_SUB"
	TokRole   Code = "TOK_ROLE"
	APIMScope Code = "APIM_SCOPE"
	BCLSim    Code = "BCL_SIM"
)

// Problems of login runs.
const (
	LoginUnknown    Code = "LOGIN_UNKNOWN"
	LoginNotYours   Code = "LOGIN_NOT_YOURS"
	LoginTarget     Code = "LOGIN_TARGET"
	LoginNotReady   Code = "LOGIN_NOT_READY"
	LoginMode       Code = "LOGIN_MODE"
	LoginScenario   Code = "LOGIN_SCENARIO"
	LoginMismatch   Code = "LOGIN_MISMATCH"
	LoginTooMany    Code = "LOGIN_TOO_MANY"
	LoginNoAnswer   Code = "LOGIN_NO_ANSWER"
	LoginAnswer     Code = "LOGIN_ANSWER"
	LoginRefused    Code = "LOGIN_REFUSED"
	LoginClient     Code = "LOGIN_CLIENT"
	LoginState      Code = "LOGIN_STATE"
	LoginSession    Code = "LOGIN_SESSION"
	LoginNotRefused Code = "LOGIN_NOT_REFUSED"
	LoginCancelled  Code = "LOGIN_CANCELLED"
	LoginTimeout    Code = "LOGIN_TIMEOUT"
	LoginCutOff     Code = "LOGIN_CUT_OFF"
)

func loginRunEntries() []Entry {
	return []Entry{
		{
			Code: LoginUnknown, Title: "There is no such login run", Status: 404,
			Remedy: "Begin one with `authbridge login`, or check the id: old runs are forgotten after a while.",
		},
		{
			Code: LoginNotYours, Title: "The login run is somebody else's", Status: 403,
			Remedy: "Use the token or user that asked for it.",
		},
		{
			Code: LoginTarget, Title: "No login can be run at this target", Status: 409,
			Remedy: "Configure the client with which the target knows you, as docs/configuration.md shows, or choose the target `mock`.",
		},
		{
			Code: LoginNotReady, Title: "No authenticator here can do this login", Status: 409,
			Remedy: "Put right what `authbridge ready` names for this level, target and user, then run the login again.",
		},
		{
			Code: LoginMode, Title: "The login cannot be driven this way", Status: 409,
			Remedy: "Drive it headless at the mock; at a real target sign in yourself with `--browser`, by a client that is registered as native, or judge what your application obtained with `authbridge login verify`.",
		},
		{
			Code: LoginScenario, Title: "The scenario cannot be played here", Status: 409,
			Remedy: "Play it at the daemon's own mock, with virtual authenticators switched on.",
		},
		{
			Code: LoginMismatch, Title: "What the login asks for does not go together", Status: 400,
			Remedy: "Change one of scenario, acr, authenticator and user as the detail says: no authenticator can ever do this login.",
		},
		{
			Code: LoginTooMany, Title: "Too many login runs are under way", Status: 429,
			Remedy: "Wait until some of them have ended.",
		},
		{
			Code: LoginNoAnswer, Title: "The sign-in service does not answer", Status: 502,
			Remedy: "Look whether the sign-in service is up and can be reached from here, then run the login again.",
		},
		{
			Code: LoginAnswer, Title: "The sign-in service answers otherwise than its protocol says", Status: 502,
			Remedy: "Look at what the detail shows: a page where data should be is often a proxy's, a status of 500 and above the service's own fault.",
			Spec:   "OpenID Connect Core 1.0, 3.1.2, 3.1.3, 5.3",
		},
		{
			Code: LoginRefused, Title: "The sign-in service refused", Status: 409,
			Remedy: "Put right what the service says in the detail: the user, the authenticator or what was asked for.",
			Spec:   "OpenID Connect Core 1.0, 3.1.2.6; RFC 6749, 5.2",
		},
		{
			Code: LoginClient, Title: "The sign-in service does not accept the client", Status: 409,
			Remedy: "Check client id, secret or key, and redirect address against the registration at the target.",
			Spec:   "RFC 6749, 5.2: invalid_client",
		},
		{
			Code: LoginState, Title: "The answer belongs to another request", Status: 409,
			Remedy: "Run the login again; if it happens again, find out what changes addresses between here and the sign-in service.",
			Spec:   "RFC 6749, 10.12; RFC 9207",
		},
		{
			Code: LoginSession, Title: "The session was used otherwise than asked for", Status: 409,
			Remedy: "Check how the sign-in service treats sessions, `prompt` and logout: the step says what was expected.",
			Spec:   "OpenID Connect Core 1.0, 3.1.2.1; RP-Initiated Logout 1.0",
		},
		{
			Code: LoginNotRefused, Title: "It was not refused by the one who must refuse", Status: 409,
			Remedy: "Look at the step to see who let it pass, and put the missing check right there before anything goes live.",
		},
		{
			Code: LoginCancelled, Title: "The login run was cancelled", Status: 409,
			Remedy: "Run it again if it is still wanted.",
		},
		{
			Code: LoginTimeout, Title: "The login run took too long", Status: 409,
			Remedy: "Run it again with more time, and see at which step the time went.",
		},
		{
			Code: LoginCutOff, Title: "The daemon ended in the middle of the login run", Status: 409,
			Remedy: "Run it again; its steps up to then are kept.",
		},
	}
}

func loginEntries() []Entry {
	return []Entry{
		{
			Code: TokISS, Title: "Issuer of the ID token",
			Remedy: "Configure the issuer exactly as the sign-in service writes it, `:443` included.",
			Spec:   "OpenID Connect Core 1.0, 3.1.3.7 step 2",
		},
		{
			Code: TokAUD, Title: "Audience of the ID token",
			Remedy: "Use the client id under which the application is registered at this target.",
			Spec:   "OpenID Connect Core 1.0, 3.1.3.7 step 3",
		},
		{
			Code: TokSIG, Title: "Signature of the ID token",
			Remedy: "Fetch the signing keys from the target again, and accept RS256 or RS512 signatures by these keys only.",
			Spec:   "OpenID Connect Core 1.0, 3.1.3.7 steps 6 to 8",
		},
		{
			Code: TokAAL, Title: "Authentication level of the login",
			Remedy: "Ask for the level in `acr_values`, sign in with an authenticator that reaches it, and read the level from the token whether it is text or a number.",
			Spec:   "NHS: authentication_assurance_level",
		},
		{
			Code: TokIAL, Title: "Identity level of the user",
			Remedy: "Use a user whose identity is proven to level 3.",
			Spec:   "NHS: id_assurance_level",
		},
		{
			Code: TokACRAMR, Title: "Method of the login",
			Remedy: "Check which authenticator was really used, and that `acr_values` asked for one that it satisfies.",
			Spec:   "RFC 8176; NHS: ACR values",
		},
		{
			Code: TokFresh, Title: "Time of the login",
			Remedy: "Ask for a new sign-in with `prompt=login` or `max_age`: an older session was used again.",
			Spec:   "OpenID Connect Core 1.0, 3.1.2.1",
		},
		{
			Code: TokSub, Title: "User of the login",
			Remedy: "Sign in as the expected user, with that user's own authenticator.",
			Spec:   "OpenID Connect Core 1.0, 5.3.2",
		},
		{
			Code: TokRole, Title: "Roles of the user",
			Remedy: "Use a user who has a role, and ask for the scope `selectedrole` where a selected role is needed.",
			Spec:   "NHS: role selection",
		},
		{
			Code: APIMScope, Title: "Access level of the API product",
			Remedy: "Add the scope of the level that was signed in with to the API product: it must match exactly.",
			Spec:   "NHS API platform: urn:nhsd:apim:user-nhs-cis2",
		},
		{
			Code: BCLSim, Title: "Answer to a logout token",
			Remedy: "Make the application answer 200 to a good logout token and 400 to a bad one.",
			Spec:   "OpenID Connect Back-Channel Logout 1.0, 2.6 to 2.8",
		},
	}
}
