package webauthn

// ParseRequest checks a PublicKeyCredentialRequestOptionsJSON (WebAuthn L3,
// 5.1.9) that a page passed to navigator.credentials.get. Its timeout, hints and
// extensions are ignored, which the spec leaves to the client. The error is an
// *Error.
func ParseRequest(options []byte, page Page, parties []Party) (*Request, error) {
	o, err := parseOptions(options)
	if err != nil {
		return nil, err
	}
	challenge, err := o.octets("challenge", maxChallenge, RangeError)
	if err != nil {
		return nil, err
	}
	asked, err := o.rpID("rpId")
	if err != nil {
		return nil, err
	}
	var r Request
	var given int
	if r.Allow, given, err = o.descriptors("allowCredentials"); err != nil {
		return nil, err
	}
	if given > 0 && len(r.Allow) == 0 {
		// An empty list would mean any credential (WebAuthn L3, 5.8.3).
		return nil, &Error{NotSupportedError, Unsupported, "allowCredentials", "no entry is of type public-key"}
	}
	if r.UV, err = o.requirement("userVerification"); err != nil {
		return nil, err
	}
	if r.UV == "" {
		r.UV = Preferred
	}
	if r.RPID, err = claim(page, asked, parties); err != nil {
		return nil, err
	}
	r.ClientData, r.ClientDataHash = clientData(typeGet, challenge, page.Origin, page.Top)
	return &r, nil
}
