package failure

// Problems of ceremonies.
const (
	CeremonyUnknown   Code = "CEREMONY_UNKNOWN"
	CeremonyBusy      Code = "CEREMONY_BUSY"
	CeremonyOver      Code = "CEREMONY_OVER"
	CeremonyNoPrompt  Code = "CEREMONY_NO_PROMPT"
	CeremonyKind      Code = "CEREMONY_KIND"
	CeremonyCancelled Code = "CEREMONY_CANCELLED"
	CeremonyTimeout   Code = "CEREMONY_TIMEOUT"
	CeremonyCutOff    Code = "CEREMONY_CUT_OFF"
	TouchTimeout      Code = "TOUCH_TIMEOUT"
	InsertTimeout     Code = "INSERT_TIMEOUT"

	PINRequired      Code = "PIN_REQUIRED"
	PINRefused       Code = "PIN_REFUSED"
	PINRefusedBefore Code = "PIN_REFUSED_BEFORE"
	PINSourceBlocked Code = "PIN_SOURCE_BLOCKED"
	PINTooFewTries   Code = "PIN_TOO_FEW_TRIES"
	PINPersonOnly    Code = "PIN_PERSON_ONLY"
	PINFormat        Code = "PIN_FORMAT"
	PINFile          Code = "PIN_FILE"
	PINKeyring       Code = "PIN_KEYRING"

	WebAuthnOptions   Code = "WEBAUTHN_OPTIONS"
	WebAuthnRPID      Code = "WEBAUTHN_RP_ID"
	WebAuthnOrigin    Code = "WEBAUTHN_ORIGIN"
	WebAuthnNotListed Code = "WEBAUTHN_NOT_LISTED"
	WebAuthnExcluded  Code = "WEBAUTHN_EXCLUDED"
	WebAuthnNone      Code = "WEBAUTHN_NO_CREDENTIAL"
	WebAuthnUnable    Code = "WEBAUTHN_UNABLE"
	KeyCannotDelete   Code = "KEY_CANNOT_DELETE"
	KeyKnowsAccount   Code = "KEY_KNOWS_ACCOUNT"
	KeyRefused        Code = "KEY_REFUSED"

	SignNotListed      Code = "SIGN_NOT_LISTED"
	SignNonRepudiation Code = "SIGN_NON_REPUDIATION"
	SignSlot           Code = "SIGN_SLOT"
	SignIssuer         Code = "SIGN_ISSUER"
	SignDigest         Code = "SIGN_DIGEST"
	SignNoCertificate  Code = "SIGN_NO_CERTIFICATE"
	SignRefused        Code = "SIGN_REFUSED"
)

func ceremonyEntries() []Entry {
	return []Entry{
		{
			Code: CeremonyUnknown, Title: "There is no such ceremony", Status: 404,
			Remedy: "Begin one with `authbridge ceremony`, or check the id; ceremonies that are over are forgotten after a while.",
		},
		{
			Code: CeremonyBusy, Title: "The authenticator is in the middle of another ceremony", Status: 409,
			Remedy: "Wait until the ceremony that the detail names is over, or cancel it.",
		},
		{
			Code: CeremonyOver, Title: "The ceremony is over already", Status: 409,
			Remedy: "Begin a new ceremony: this one takes no more answers.",
		},
		{
			Code: CeremonyNoPrompt, Title: "The ceremony waits for no PIN", Status: 409,
			Remedy: "Answer only while the ceremony is in the state pin.",
		},
		{
			Code: CeremonyKind, Title: "This authenticator does not do that ceremony", Status: 409,
			Remedy: "Lease a security key for create and get, and a smartcard for sign.",
		},
		{
			Code: CeremonyCancelled, Title: "The ceremony was cancelled", Status: 409, DOMException: "AbortError",
			Remedy: "Begin it again if it is still wanted.",
		},
		{
			Code: CeremonyTimeout, Title: "The ceremony took too long", Status: 409,
			Remedy: "Begin it again with more time, and do at once what it asks for.",
		},
		{
			Code: CeremonyCutOff, Title: "The daemon ended in the middle of the ceremony", Status: 409,
			Remedy: "Begin it again; what it may have left in the authenticator is removed when the lease ends.",
		},
		{
			Code: TouchTimeout, Title: "Nobody touched the security key in time", Status: 409, DOMException: "NotAllowedError",
			Remedy: "Begin again and touch the security key while it blinks; a virtual one is touched with `authbridge virtual touch`.",
			Spec:   "CTAP 2.1, 8.2: CTAP2_ERR_USER_ACTION_TIMEOUT",
		},
		{
			Code: InsertTimeout, Title: "The authenticator was not put back in time", Status: 409,
			Remedy: "Put the card or key that the detail names back, then begin again.",
		},

		{
			Code: PINRequired, Title: "A PIN is needed", Status: 409,
			Remedy: "Send the PIN with the request, bind a file to the authenticator in the configuration, or answer the prompt.",
		},
		{
			Code: PINRefused, Title: "The PIN is wrong", Status: 409,
			Remedy: "Find the right PIN before anything else: a try was spent, and this PIN is not sent again.",
			Spec:   "SP 800-73-4 part 2, 3.2.1; CTAP 2.1, 8.2: CTAP2_ERR_PIN_INVALID",
		},
		{
			Code: PINRefusedBefore, Title: "This PIN was refused before and was not sent", Status: 409,
			Remedy: "Use the right PIN; no try was spent.",
		},
		{
			Code: PINSourceBlocked, Title: "A PIN from the same place was refused before, and none was sent", Status: 409,
			Remedy: "Put the PIN right where it comes from, then clear the block with `authbridge authenticators unblock ID`; no try was spent.",
		},
		{
			Code: PINTooFewTries, Title: "Too few PIN tries are left, and none was spent", Status: 409,
			Remedy: "Let the right PIN be entered once with the maker's own tool, which sets the tries back; to spend one here after all, use `--override`.",
		},
		{
			Code: PINPersonOnly, Title: "The PIN of a live card comes from a person only", Status: 403,
			Remedy: "Enter the PIN at the prompt; the PIN of a live card is never taken from a request, a file or a keyring.",
		},
		{
			Code: PINFormat, Title: "That can be no PIN", Status: 400,
			Remedy: "Use a PIN of the right length: 4 to 8 characters for a card, 4 to 63 octets for a key; no try was spent.",
			Spec:   "SP 800-73-4 part 2, 2.4.3; CTAP 2.1, 6.5.1",
		},
		{
			Code: PINFile, Title: "The file with the PIN cannot be used", Status: 409,
			Remedy: "Make it a file of the daemon's user with mode 0400 or 0600 that holds the PIN alone, as docs/configuration.md shows.",
		},
		{
			Code: PINKeyring, Title: "The keyring gives no PIN",
			Remedy: "Unlock the keyring and store the PIN there, under the service authbridge, or enter it yourself with `--pin-ask`.",
		},

		{
			Code: WebAuthnOptions, Title: "The WebAuthn options are not as they must be", Status: 400, DOMException: "TypeError",
			Remedy: "Correct the member that the detail names.",
			Spec:   "WebAuthn L3, 5.4, 5.5, 5.1.8, 5.1.9",
		},
		{
			Code: WebAuthnRPID, Title: "The relying party id is not one that this origin may use", Status: 403, DOMException: "SecurityError",
			Remedy: "Use the origin's own domain or a registrable parent of it as relying party id.",
			Spec:   "WebAuthn L3, 5.1.3, step 8; 5.1.4.1, step 7",
		},
		{
			Code: WebAuthnOrigin, Title: "A page of this origin may not use WebAuthn", Status: 403, DOMException: "SecurityError",
			Remedy: "Serve the page as `http://localhost:PORT` or by HTTPS under a name: an IP address has no WebAuthn.",
			Spec:   "WebAuthn L3, 5.1.3, step 7; 5.1.4.1, step 6",
		},
		{
			Code: WebAuthnNotListed, Title: "The relying party is not on the list", Status: 403, DOMException: "SecurityError",
			Remedy: "Add the relying party with its target and origins to `relying_party` in the configuration file, as docs/configuration.md shows.",
		},
		{
			Code: WebAuthnExcluded, Title: "The security key has a credential of that account already", Status: 409, DOMException: "InvalidStateError",
			Remedy: "Sign in with the credential there is, or use another security key.",
			Spec:   "CTAP 2.1, 8.2: CTAP2_ERR_CREDENTIAL_EXCLUDED",
		},
		{
			Code: WebAuthnNone, Title: "The security key has no credential for this relying party", Status: 409, DOMException: "NotAllowedError",
			Remedy: "Register the security key with the relying party first, or lease the one that is registered.",
			Spec:   "CTAP 2.1, 8.2: CTAP2_ERR_NO_CREDENTIALS",
		},
		{
			Code: WebAuthnUnable, Title: "The security key cannot do what the options demand", Status: 409, DOMException: "NotAllowedError",
			Remedy: "Use a security key that can do what the detail names, or ask for less.",
			Spec:   "WebAuthn L3, 6.3.2",
		},
		{
			Code: KeyCannotDelete, Title: "The security key could not delete the credential again", Status: 409,
			Remedy: "Ask for a credential that is not discoverable, or take the lease with `--keep`.",
			Spec:   "CTAP 2.1, 6.8: authenticatorCredentialManagement",
		},
		{
			Code: KeyKnowsAccount, Title: "The security key holds a credential of this account", Status: 409,
			Remedy: "Use another user handle or another security key: the credential there would be overwritten.",
			Spec:   "CTAP 2.1, 6.1.2, step 17",
		},
		{
			Code: KeyRefused, Title: "The security key refused", Status: 409,
			Remedy: "See the status code in the detail for what the security key said.",
			Spec:   "CTAP 2.1, 8.2",
		},

		{
			Code: SignNotListed, Title: "The card's certificate is not on the list", Status: 403,
			Remedy: "Name the certificate's SHA-256 fingerprint for the target in `signing` of the configuration file, as docs/configuration.md shows.",
		},
		{
			Code: SignNonRepudiation, Title: "The certificate is for binding signatures", Status: 403,
			Remedy: "Use the authentication certificate in slot 9A: what nonRepudiation marks is never signed with here.",
			Spec:   "RFC 5280, 4.2.1.3",
		},
		{
			Code: SignSlot, Title: "The signature slot of a physical card is never used", Status: 403,
			Remedy: "Use the authentication certificate in slot 9A.",
			Spec:   "SP 800-73-4 part 1, table 4b: key reference 9C",
		},
		{
			Code: SignIssuer, Title: "The certificate is not of a known test issuer", Status: 403,
			Remedy: "Use a test card: with a live card, or one of an issuer that is not known, nothing is signed here.",
		},
		{
			Code: SignDigest, Title: "A physical card signs data, not a digest", Status: 403,
			Remedy: "Send the data itself in `data`.",
		},
		{
			Code: SignNoCertificate, Title: "There is no usable certificate in that slot", Status: 409,
			Remedy: "Choose a slot that `authbridge authenticators certificates ID` shows.",
			Spec:   "SP 800-73-4 part 1, table 3",
		},
		{
			Code: SignRefused, Title: "The card refused to sign", Status: 409,
			Remedy: "See the status word in the detail for what the card said.",
			Spec:   "SP 800-73-4 part 2, 3.2.4",
		},
	}
}
