package fido

import (
	"encoding/hex"
	"testing"
)

const (
	fidoDescriptor     = "06d0f10901a1010920150026ff007508954081020921150026ff00750895409102c0"
	keyboardDescriptor = "05010906a101050719e029e71500250175019508810295017508810395057501050819012905910295017503910395067508150025650507190029658100c0"
)

func TestASecurityKeyIsKnownByItsDescriptor(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		hex  string
		want bool
	}{
		"a key":                                   {fidoDescriptor, true},
		"a keyboard":                              {keyboardDescriptor, false},
		"a key behind a keyboard in one device":   {keyboardDescriptor + fidoDescriptor, true},
		"usage before its page":                   {"090106d0f1a101c0", false},
		"a usage that brings its page":            {"0501" + "0b0100d0f1" + "a101c0", true},
		"the right page, another usage":           {"06d0f10902a101c0", false},
		"the right usage, another page":           {"0600ff0901a101c0", false},
		"a physical collection":                   {"06d0f10901a100c0", false},
		"the usage belongs to an input":           {"06d0f109018102a101c0", false},
		"the second usage of a collection":        {"06d0f109020901a101c0", false},
		"a page that was put back":                {"06d0f1a40501b40901a101c0", true},
		"a page that was not":                     {"0501a406d0f1b40901a101c0", false},
		"a pop without a push":                    {"b406d0f10901a101c0", false},
		"a long item in front":                    {"fe03aabbccdd" + fidoDescriptor, true},
		"a long item that is cut short":           {"fe", false},
		"a long item longer than the rest":        {"feff00", false},
		"an item that is cut short":               {"06d0", false},
		"cut short behind the collection's start": {"06d0f10901a101", true},
		"nothing": {"", false},
	} {
		d, err := hex.DecodeString(c.hex)
		if err != nil {
			t.Fatal(err)
		}
		if got := isFIDO(d); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if isFIDO(append(make([]byte, maxDescriptor), 0x06, 0xd0, 0xf1, 0x09, 0x01, 0xa1, 0x01)) {
		t.Error("a descriptor longer than any can be was taken")
	}
}

func FuzzIsFIDO(f *testing.F) {
	for _, s := range []string{fidoDescriptor, keyboardDescriptor, "fe", "b4", "06d0f1a40901a101"} {
		d, _ := hex.DecodeString(s)
		f.Add(d)
	}
	f.Fuzz(func(_ *testing.T, d []byte) { isFIDO(d) })
}
