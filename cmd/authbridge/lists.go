package main

import (
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Lists are what the configuration allows beyond the embedded default, one table
// of an array each: whom authenticators may sign in at, which cards may sign,
// where PINs may be read, and who the users are.
type Lists struct {
	RelyingParties []RelyingParty       `json:"relying_party"`
	Signing        []SigningCertificate `json:"signing"`
	PINs           []BoundPIN           `json:"pin"`
	Users          []User               `json:"user"`
	Registrations  []Registration       `json:"registration"`
	Targets        []TargetConfig       `json:"target"`
}

// RelyingParty is one that WebAuthn may be used for (DESIGN rule 9).
type RelyingParty struct {
	ID      string   `json:"id"`
	Origins []string `json:"origins"`
	Targets []string `json:"targets"`
}

// SigningCertificate is that of a physical card that may sign for a target
// (DESIGN 5.4).
type SigningCertificate struct {
	Certificate string `json:"certificate"` // SHA-256, hex
	Target      string `json:"target"`
}

// BoundPIN is a file with the PIN of one authenticator, for one target. File or
// Credential is given.
type BoundPIN struct {
	Authenticator string `json:"authenticator"`
	Target        string `json:"target"`
	File          string `json:"file,omitempty"`
	// Credential is the name of a systemd credential (systemd.exec(5),
	// LoadCredential=).
	Credential string `json:"credential,omitempty"`
}

// rawLists are the tables as they are written; see file.
type rawLists struct {
	RelyingParty []struct {
		ID      any `toml:"id"`
		Origins any `toml:"origins"`
		Targets any `toml:"targets"`
	} `toml:"relying_party"`
	Signing []struct {
		Certificate any `toml:"certificate"`
		Target      any `toml:"target"`
	} `toml:"signing"`
	PIN []struct {
		Authenticator any `toml:"authenticator"`
		Target        any `toml:"target"`
		File          any `toml:"file"`
		Credential    any `toml:"credential"`
	} `toml:"pin"`
	User         []rawUser         `toml:"user"`
	Registration []rawRegistration `toml:"registration"`
	Target       []rawTarget       `toml:"target"`
}

// taker takes values out of arrays of tables, and keeps what is wrong with their
// types.
type taker struct{ bad []Finding }

func (t *taker) wrong(key string, i int, name, what, remedy string) {
	t.bad = append(t.bad, Finding{Where: member(key, i, name), What: what, Remedy: remedy})
}

func (t *taker) text(key string, i int, name string, given any) string {
	value, ok := given.(string)
	if !ok && given != nil {
		t.wrong(key, i, name, fmt.Sprintf("%s is %v, which is no text", name, given), "put it in quotes, as docs/configuration.md shows")
	}
	return value
}

func (t *taker) texts(key string, i int, name string, given any) (all []string) {
	list, ok := given.([]any)
	for _, v := range list {
		value, isText := v.(string)
		ok = ok && isText
		all = append(all, value)
	}
	if !ok && given != nil {
		t.wrong(key, i, name, name+" is no list of texts", `write ["one", "two"]`)
	}
	return all
}

func (t *taker) toggle(key string, i int, name string, given any) bool {
	value, ok := given.(bool)
	if !ok && given != nil {
		t.wrong(key, i, name, fmt.Sprintf("%s is %v", name, given), "write true or false, without quotes")
	}
	return value
}

// take takes the tables, and says which values are of a wrong type.
func (l *Lists) take(raw rawLists) []Finding {
	var t taker
	for i, r := range raw.RelyingParty {
		const key = "relying_party"
		l.RelyingParties = append(l.RelyingParties, RelyingParty{
			ID: t.text(key, i, "id", r.ID), Origins: t.texts(key, i, "origins", r.Origins), Targets: t.texts(key, i, "targets", r.Targets),
		})
	}
	for i, r := range raw.Signing {
		const key = "signing"
		l.Signing = append(l.Signing, SigningCertificate{Certificate: t.text(key, i, "certificate", r.Certificate), Target: t.text(key, i, "target", r.Target)})
	}
	for i, r := range raw.PIN {
		const key = "pin"
		l.PINs = append(l.PINs, BoundPIN{
			Authenticator: t.text(key, i, "authenticator", r.Authenticator), Target: t.text(key, i, "target", r.Target),
			File: t.text(key, i, "file", r.File), Credential: t.text(key, i, "credential", r.Credential),
		})
	}
	var bad []Finding
	l.Users, bad = takeUsers(raw.User)
	t.bad = append(t.bad, bad...)
	l.Targets, bad = takeTargets(raw.Target)
	t.bad = append(t.bad, bad...)
	l.Registrations, bad = takeRegistrations(raw.Registration)
	return append(t.bad, bad...)
}

// member names a value in an array of tables.
func member(key string, i int, name string) string { return fmt.Sprintf("%s[%d].%s", key, i, name) }

// findings say what is wrong with the values.
func (l Lists) findings() (bad []Finding) {
	add := func(key string, i int, name, what, remedy string) {
		bad = append(bad, Finding{Where: member(key, i, name), What: what, Remedy: remedy})
	}
	target := func(key string, i int, name, given string, allowed []string) {
		if !slices.Contains(allowed, given) {
			add(key, i, name, fmt.Sprintf("%s is %q", name, given), "choose one of "+strings.Join(allowed, ", "))
		}
	}
	for i, p := range l.RelyingParties {
		const key = "relying_party"
		if len(p.Targets) == 0 {
			add(key, i, "targets", "there are no targets", `say what it may be used for: targets = ["mock"]`)
		}
		for _, t := range p.Targets {
			target(key, i, "targets", t, l.driveable())
		}
		if what := badParty(p); what != "" {
			add(key, i, "id", what, "name a registrable domain and its exact origins, as docs/configuration.md shows")
		}
	}
	for i, s := range l.Signing {
		const key = "signing"
		if sum, err := hex.DecodeString(s.Certificate); err != nil || len(sum) != 32 {
			add(key, i, "certificate", fmt.Sprintf("certificate is %q, which is no SHA-256 fingerprint", s.Certificate), "write the 64 hex digits that `authbridge authenticators certificates` shows for it")
		}
		target(key, i, "target", s.Target, l.driveable())
	}
	for i, p := range l.PINs {
		const key = "pin"
		if p.Authenticator == "" {
			add(key, i, "authenticator", "no authenticator is named", "write its id, as `authbridge authenticators` shows it")
		}
		target(key, i, "target", p.Target, l.driveable())
		if slices.Contains(l.driveable(), p.Target) && !l.automated(p.Target) {
			add(key, i, "target", "a PIN is kept for "+p.Target+", where sign-ins are not automated",
				"take it out and type the PIN, or write automation = true in a [[target]] of that name; docs/configuration.md says whose permission that needs")
		}
		if slices.ContainsFunc(l.PINs[:i], func(q BoundPIN) bool { return q.Authenticator == p.Authenticator && q.Target == p.Target }) {
			add(key, i, "authenticator", "another PIN is bound to the same authenticator and target", "take one of them out: only the first would ever be used")
		}
		switch {
		case (p.File == "") == (p.Credential == ""):
			add(key, i, "file", "not one of file and credential is given", "write the path of a file with the PIN, or the name of a systemd credential, and not both")
		case p.File != "" && !filepath.IsAbs(p.File):
			add(key, i, "file", fmt.Sprintf("file is %q", p.File), "write its whole path, from the root; ~ is not expanded")
		case p.Credential != "" && filepath.Base(p.Credential) != p.Credential:
			add(key, i, "credential", fmt.Sprintf("credential is %q", p.Credential), "write its name alone")
		}
	}
	return slices.Concat(bad, userFindings(l.Users, l.targets()), targetFindings(l.Targets), registrationFindings(l.Registrations, l.targets()))
}
