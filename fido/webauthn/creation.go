package webauthn

import "slices"

// defaultAlgorithms are meant where pubKeyCredParams is empty (WebAuthn L3,
// 5.1.3).
var defaultAlgorithms = []int64{ES256, RS256}

// ParseCreation checks a PublicKeyCredentialCreationOptionsJSON (WebAuthn L3,
// 5.1.8) that a page passed to navigator.credentials.create. Its timeout, hints,
// attestationFormats and the extensions not named in Creation are ignored, which
// the spec leaves to the client. The error is an *Error.
func ParseCreation(options []byte, page Page, parties []Party) (*Creation, error) {
	o, err := parseOptions(options)
	if err != nil {
		return nil, err
	}
	var c Creation
	var asked string
	for _, part := range []func(object) error{
		func(o object) (err error) { asked, err = c.parseRP(o); return },
		c.parseUser, c.parseAlgorithms, c.parseSelection, c.parseExtensions,
		func(o object) (err error) { c.Exclude, _, err = o.descriptors("excludeCredentials"); return },
		func(o object) (err error) {
			c.Attestation, err = o.enum("attestation", "none", "indirect", "direct", "enterprise")
			return
		},
	} {
		if err := part(o); err != nil {
			return nil, err
		}
	}
	if c.Attestation == "" {
		c.Attestation = "none"
	}
	challenge, err := o.octets("challenge", maxChallenge, RangeError)
	if err != nil {
		return nil, err
	}
	if c.RPID, err = claim(page, asked, parties); err != nil {
		return nil, err
	}
	c.ClientData, c.ClientDataHash = clientData(typeCreate, challenge, page.Origin, page.Top)
	return &c, nil
}

func (c *Creation) parseRP(o object) (asked string, err error) {
	rp, err := o.required("rp")
	if err != nil {
		return "", err
	}
	if c.RPName, err = rp.str("name", maxName); err != nil {
		return "", err
	}
	return rp.rpID("id")
}

func (c *Creation) parseUser(o object) error {
	user, err := o.required("user")
	if err != nil {
		return err
	}
	if c.UserID, err = user.octets("id", maxUserID, TypeError); err != nil {
		return err
	}
	if c.UserName, err = user.str("name", maxName); err != nil {
		return err
	}
	c.DisplayName, err = user.str("displayName", maxName)
	return err
}

func (c *Creation) parseAlgorithms(o object) error {
	if _, ok := o.members["pubKeyCredParams"]; !ok {
		return malformed(TypeError, "pubKeyCredParams", "missing")
	}
	params, err := o.objects("pubKeyCredParams")
	if err != nil {
		return err
	}
	if len(params) == 0 {
		c.Algorithms = slices.Clone(defaultAlgorithms)
		return nil
	}
	for _, p := range params {
		kind, err := p.str("type", maxName)
		if err != nil {
			return err
		}
		alg, err := p.algorithm("alg")
		if err != nil {
			return err
		}
		if kind == publicKeyType && !slices.Contains(c.Algorithms, alg) {
			c.Algorithms = append(c.Algorithms, alg)
		}
	}
	if len(c.Algorithms) == 0 {
		return &Error{NotSupportedError, Unsupported, "pubKeyCredParams", "no entry is of type public-key"}
	}
	return nil
}

// parseSelection reads authenticatorSelection (WebAuthn L3, 5.4.4).
func (c *Creation) parseSelection(o object) error {
	selection, err := o.object("authenticatorSelection")
	if err != nil {
		return err
	}
	if c.Attachment, err = selection.enum("authenticatorAttachment", "platform", "cross-platform"); err != nil {
		return err
	}
	if c.UV, err = selection.requirement("userVerification"); err != nil {
		return err
	}
	if c.UV == "" {
		c.UV = Preferred
	}
	if c.ResidentKey, err = selection.requirement("residentKey"); err != nil {
		return err
	}
	legacy, err := selection.boolean("requireResidentKey")
	if err != nil {
		return err
	}
	switch {
	case c.ResidentKey != "":
	case legacy:
		c.ResidentKey = Required
	default:
		c.ResidentKey = Discouraged
	}
	return nil
}

// parseExtensions reads credProps (WebAuthn L3, 10.1.3) and credProtect (CTAP
// 2.1, 12.1).
func (c *Creation) parseExtensions(o object) error {
	extensions, err := o.object("extensions")
	if err != nil {
		return err
	}
	if c.CredProps, err = extensions.boolean("credProps"); err != nil {
		return err
	}
	if c.EnforceCredProtect, err = extensions.boolean("enforceCredentialProtectionPolicy"); err != nil {
		return err
	}
	if isNull(extensions.members["credentialProtectionPolicy"]) {
		c.EnforceCredProtect = false // of nothing
		return nil
	}
	policy, err := extensions.str("credentialProtectionPolicy", maxName)
	if err != nil {
		return err
	}
	// One that is not known is no wish to be dropped in silence.
	level := slices.Index([]string{
		"userVerificationOptional", "userVerificationOptionalWithCredentialIDList", "userVerificationRequired",
	}, policy)
	if level < 0 {
		return &Error{NotSupportedError, Unsupported, "extensions.credentialProtectionPolicy", "no policy that CTAP knows"}
	}
	c.CredProtect = level + 1
	return nil
}
