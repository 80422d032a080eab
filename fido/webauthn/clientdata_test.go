package webauthn

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"testing"
	"unicode/utf8"
)

// limited is the limited verification algorithm (WebAuthn L3, 5.8.1.2), with a
// top origin required where there is one.
func limited(data []byte, kind string, challenge []byte, origin, top string) bool {
	quoted := func(s string) string { return string(appendString(nil, s)) }
	expected := `{"type":` + quoted(kind) + `,"challenge":` + quoted(raw64(challenge)) +
		`,"origin":` + quoted(origin) + `,"crossOrigin":`
	if top != "" {
		expected += `true,"topOrigin":` + quoted(top)
	} else {
		expected += "false"
	}
	rest, ok := bytes.CutPrefix(data, []byte(expected))
	return ok && len(rest) > 0 && (rest[0] == '}' || rest[0] == ',')
}

func TestClientDataIsExact(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		kind, origin, top string
		challenge         []byte
		want              string
	}{
		{
			typeCreate, "https://example.org", "",
			[]byte{0xfb, 0xff, 0xfe},
			`{"type":"webauthn.create","challenge":"-__-","origin":"https://example.org","crossOrigin":false}`,
		},
		{
			typeGet, "http://localhost:8080", "https://example.com",
			[]byte{0},
			`{"type":"webauthn.get","challenge":"AA","origin":"http://localhost:8080","crossOrigin":true,"topOrigin":"https://example.com"}`,
		},
	} {
		got, hash := clientData(row.kind, row.challenge, row.origin, row.top)
		if string(got) != row.want {
			t.Errorf("got  %s\nwant %s", got, row.want)
		}
		if hash != sha256.Sum256([]byte(row.want)) {
			t.Errorf("the hash is of something else than %s", row.want)
		}
		if !limited(got, row.kind, row.challenge, row.origin, row.top) {
			t.Errorf("the limited algorithm refuses %s", got)
		}
	}
}

func TestStringsAreEscapedAsTheSpecSays(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`a"b\c`:         `"a\"b\\c"`,
		"\x00\x1f\n":    `"\u0000\u001f\u000a"`,
		"a !#[]~\x7f":   "\"a !#[]~\x7f\"",
		"<>&\u2028é😀":   "\"<>&\u2028é😀\"",
		"":              `""`,
		"https://b.org": `"https://b.org"`,
	} {
		if got := string(appendString(nil, in)); got != want {
			t.Errorf("%q is %s, want %s", in, got, want)
		}
	}
}

func FuzzClientData(f *testing.F) {
	f.Add([]byte{1}, "https://example.org", "")
	f.Add([]byte{0xff}, "a\"\\\n\x01", "https://é")
	f.Fuzz(func(t *testing.T, challenge []byte, origin, top string) {
		data, _ := clientData(typeGet, challenge, origin, top)
		if !limited(data, typeGet, challenge, origin, top) {
			t.Errorf("the limited algorithm refuses %s", data)
		}
		if !utf8.ValidString(origin) || !utf8.ValidString(top) {
			return
		}
		var got struct {
			Type, Challenge, Origin, TopOrigin string
			CrossOrigin                        bool
		}
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatal(err)
		}
		if got.Type != typeGet || got.Challenge != raw64(challenge) || got.Origin != origin ||
			got.TopOrigin != top || got.CrossOrigin != (top != "") {
			t.Errorf("%s reads as %+v", data, got)
		}
	})
}
