package vcard

import (
	"strings"
	"testing"

	"authbridge/pcsc"
)

func TestProfilesTakeNamesOfAllAlphabetsAndNothingElse(t *testing.T) {
	for _, name := range []string{"O", "O'Neill", "O’Neill", "Müller-Lüdenscheidt", "St. John", "Ní Dhomhnaill", "e\u0301", "山田", strings.Repeat("ü", 40)} {
		p, err := Profile{User: "555012345678", Surname: name, Forename: name}.complete()
		if err != nil {
			t.Errorf("%q: %v", name, err)
		}
		if p.Protocol != pcsc.ProtocolT1 || p.PIN != DefaultPIN || p.PUK != DefaultPUK {
			t.Errorf("%q: the defaults are missing: %+v", name, p)
		}
	}
	for _, name := range []string{"", strings.Repeat("ü", 41), "R2D2", "a_b", "a,b", "a=b", "a\nb", "a\x00", "\xff", "a\uFFFD"} {
		if _, err := (Profile{User: "555012345678", Surname: name, Forename: "Testina"}).complete(); err == nil {
			t.Errorf("%q was taken", name)
		}
	}
}

func TestProfilesSayWhichFieldIsWrongAndRepeatNoPIN(t *testing.T) {
	for _, c := range []struct {
		field  string
		change func(*Profile)
	}{
		{"user", func(p *Profile) { p.User = "55501234567" }},
		{"user", func(p *Profile) { p.User = "55501234567x" }},
		{"user", func(p *Profile) { p.User = "5550123456789" }},
		{"user", func(p *Profile) { p.User = "５５５０１２３４５６７８" }},
		{"PIN", func(p *Profile) { p.PIN = "98765" }},
		{"PIN", func(p *Profile) { p.PIN = "987654321" }},
		{"PIN", func(p *Profile) { p.PIN = "98765a" }},
		{"PUK", func(p *Profile) { p.PUK = "9876543" }},
		{"PUK", func(p *Profile) { p.PUK = "987654ü" }},
	} {
		p := Profile{User: "555012345678", Surname: "Quillfeather", Forename: "Testina"}
		c.change(&p)
		if _, err := p.complete(); err == nil || !strings.Contains(err.Error(), c.field) || strings.Contains(err.Error(), "98765") {
			t.Errorf("%s: %v", c.field, err)
		}
	}
}
