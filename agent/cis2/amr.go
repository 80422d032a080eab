package cis2

import "slices"

// AMR is a value of the amr claim that a sign-in with an authenticator has.
type AMR struct {
	Authenticator Authenticator
	Value         string
	// ACR is where the value is the one of that acr only.
	ACR     string
	Sure    Sure
	Sources []Source
}

// AMRs is a table of amr values.
type AMRs []AMR

// DefaultAMRs is the table as shipped. Only one row was read in a token: what
// the others say is a remark, and no ground to fail a login.
func DefaultAMRs() AMRs {
	return AMRs{
		{Smartcard, "N3_SMARTCARD", "", Verified, []Source{srcIDS, srcCPT}},
		{Smartcard, "CIS2_SMARTCARD", "AAL3_CIS2_SMARTCARD", Inferred, []Source{srcCPT}},
		{SecurityKey, "FIDO2", "", Inferred, []Source{srcEPS}},
		{Platform, "FIDO2", "", Inferred, []Source{srcEPS}},
		{IOS, "IOS", "", Inferred, []Source{srcEPS}},
		{TOTP, "TOTP", "", Inferred, []Source{srcCPT, srcSelfServ}},
		{NHSMail, "NHSMAIL", "", Inferred, []Source{srcCPT}},
		{Passkey, "PASSKEY", "", Guessed, []Source{srcOwn}},
		{UserName, "USERPASS", "", Guessed, []Source{srcOwn, srcCPT}},
	}
}

// Of is what a sign-in with an authenticator that satisfied an acr is called:
// the row of that acr, else the first of the authenticator.
func (t AMRs) Of(with Authenticator, acr string) (AMR, bool) {
	var first *AMR
	for i := range t {
		switch row := &t[i]; {
		case row.Authenticator != with:
		case row.ACR != "" && row.ACR == acr:
			return *row, true
		case first == nil && row.ACR == "":
			first = row
		}
	}
	if first == nil {
		return AMR{}, false
	}
	return *first, true
}

// Fits is whether a value names an authenticator, and how surely that is known:
// not at all where the table has no row of the authenticator.
func (t AMRs) Fits(with Authenticator, value string) (fits bool, sure Sure) {
	for _, row := range t {
		if row.Authenticator == with {
			if row.Value == value {
				return true, row.Sure
			}
			if sure == "" || row.Sure == Verified {
				sure = row.Sure
			}
		}
	}
	return false, sure
}

// Another is whether a value is known for sure to name another authenticator.
func (t AMRs) Another(with Authenticator, value string) bool {
	return slices.ContainsFunc(t, func(row AMR) bool {
		return row.Value == value && row.Authenticator != with && row.Sure == Verified
	})
}
