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
			Remedy: "Check which authenticator was really used, and correct the table of methods in the configuration if the target names it otherwise.",
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
