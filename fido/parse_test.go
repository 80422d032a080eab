package fido

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
)

const testRP = "login.example"

// authData is a key's, with parts behind the fixed ones.
func authData(flags byte, parts ...[]byte) []byte {
	sum := sha256.Sum256([]byte(testRP))
	return slices.Concat(append([][]byte{sum[:], {flags, 0, 0, 0, 7}}, parts...)...)
}

// attested is attested credential data.
func attested(id []byte, length int, public []byte) []byte {
	return slices.Concat(make([]byte, 16), []byte{byte(length >> 8), byte(length)}, id, public)
}

// with is a map with one member changed, or without it.
func with(t *testing.T, plain map[int]any, member int, v any) []byte {
	t.Helper()
	m := maps.Clone(plain)
	if m[member] = v; v == nil {
		delete(m, member)
	}
	return encoded(t, m)
}

var (
	anID   = []byte("an id")
	public = []byte{0xa1, 0x01, 0x02}
)

func TestWhatNoKeyMayAnswerToMakeCredential(t *testing.T) {
	t.Parallel()
	good := authData(0x41, attested(anID, 5, public))
	plain := map[int]any{1: "packed", 2: good, 3: map[string]any{"alg": -7, "sig": []byte{1}}}
	made, err := parseCredential(encoded(t, plain), testRP)
	if err != nil || made.Format != "packed" || !bytes.Equal(made.AuthData, good) || !bytes.Equal(made.ID, anID) || !bytes.Equal(made.Statement, encoded(t, plain[3])) {
		t.Fatalf("%+v, %v", made, err)
	}
	for name, data := range map[string][]byte{
		"of no format, nothing stated": encoded(t, map[int]any{1: "none", 2: good}),
		"with extensions":              with(t, plain, 2, authData(0xc1, attested(anID, 5, public), []byte{0xa0})),
		"with members unheard of":      with(t, plain, 99, []any{1.5}),
		"with an id of 1023 octets":    with(t, plain, 2, authData(0x41, attested(make([]byte, 1023), 1023, public))),
	} {
		if _, err := parseCredential(data, testRP); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, data := range map[string][]byte{
		"nothing":                      nil,
		"no map":                       {1},
		"no format":                    with(t, plain, 1, nil),
		"a format to clear the screen": with(t, plain, 1, "\x1b[2J"),
		"a long format":                with(t, plain, 1, string(bytes.Repeat([]byte("x"), 129))),
		"no statement":                 with(t, plain, 3, nil),
		"a statement that is none":     with(t, plain, 3, []any{}),
		"a null statement":             slices.Concat([]byte{0xa3, 1, 0x66}, []byte("packed"), []byte{2}, encoded(t, good), []byte{3, 0xf6}),
		"no authData":                  with(t, plain, 2, nil),
		"authData of 36 octets":        with(t, plain, 2, good[:36]),
		"authData for another RP":      with(t, plain, 2, append([]byte{good[0] ^ 1}, good[1:]...)),
		"no credential":                with(t, plain, 2, authData(0x01)),
		"a credential not flagged":     with(t, plain, 2, authData(0x01, attested(anID, 5, public))),
		"a credential cut short":       with(t, plain, 2, authData(0x41, make([]byte, 17))),
		"an id of no octets":           with(t, plain, 2, authData(0x41, attested(nil, 0, public))),
		"an id of 1024 octets":         with(t, plain, 2, authData(0x41, attested(make([]byte, 1024), 1024, public))),
		"an id beyond the end":         with(t, plain, 2, authData(0x41, attested(anID, 500, public))),
		"no public key":                with(t, plain, 2, authData(0x41, attested(anID, 5, nil))),
		"a public key cut short":       with(t, plain, 2, authData(0x41, attested(anID, 5, public[:2]))),
		"no extensions":                with(t, plain, 2, authData(0xc1, attested(anID, 5, public))),
		"more behind the end":          with(t, plain, 2, authData(0x41, attested(anID, 5, public), []byte{0})),
	} {
		if made, err := parseCredential(data, testRP); !errors.Is(err, ErrMalformed) || made != nil {
			t.Errorf("%s: %+v, %v", name, made, err)
		}
	}
}

func TestWhatNoKeyMayAnswerToGetAssertion(t *testing.T) {
	t.Parallel()
	id := map[string]any{"id": anID, "type": "public-key"}
	plain := map[int]any{1: id, 2: authData(1), 3: []byte("signature"), 4: map[string]any{"id": []byte("user"), "name": "Zoë 李"}, 5: 3}
	a, accounts, err := parseAssertion(encoded(t, plain), testRP, nil)
	if err != nil || accounts != 3 || !bytes.Equal(a.CredentialID, anID) || !bytes.Equal(a.AuthData, authData(1)) || string(a.Signature) != "signature" ||
		string(a.User.ID) != "user" || a.User.Name != "Zoë 李" || a.UserSelected {
		t.Fatalf("%+v, %d, %v", a, accounts, err)
	}
	if a, accounts, err := parseAssertion(with(t, plain, 6, true), testRP, nil); err != nil || accounts != 1 || !a.UserSelected {
		t.Errorf("selected: %+v, %d, %v", a, accounts, err)
	}
	if _, accounts, err := parseAssertion(encoded(t, plain), testRP, [][]byte{{1}, anID}); err != nil || accounts != 1 {
		t.Errorf("one of a list: %d, %v", accounts, err)
	}
	if a, _, err := parseAssertion(with(t, plain, 1, nil), testRP, [][]byte{anID}); err != nil || !bytes.Equal(a.CredentialID, anID) {
		t.Errorf("the only one of a list, left out: %+v, %v", a, err)
	}
	if a, _, err := parseAssertion(with(t, plain, 4, nil), testRP, nil); err != nil || a.User != nil {
		t.Errorf("no user: %+v, %v", a, err)
	}
	// Cut within a character, and with what a terminal would obey.
	cut := bytes.Replace(encoded(t, plain), []byte("Zoë 李"), []byte("Zo\x1bé \xe6\x9d"), 1)
	if a, _, err := parseAssertion(cut, testRP, nil); err != nil || a.User.Name != "Zoé" {
		t.Errorf("a name cut short: %+v, %v", a, err)
	}
	for name, data := range map[string][]byte{
		"nothing":                  nil,
		"no authData":              with(t, plain, 2, nil),
		"authData of 36 octets":    with(t, plain, 2, authData(1)[:36]),
		"no signature":             with(t, plain, 3, nil),
		"a signature of no octets": with(t, plain, 3, []byte{}),
		"a signature of 4097":      with(t, plain, 3, make([]byte, 4097)),
		"no credential":            with(t, plain, 1, nil),
		"a credential without id":  with(t, plain, 1, map[string]any{"type": "public-key"}),
		"an id of 1024 octets":     with(t, plain, 1, map[string]any{"id": make([]byte, 1024)}),
		"a user without id":        with(t, plain, 4, map[string]any{"name": "x"}),
		"a user's id of 65 octets": with(t, plain, 4, map[string]any{"id": make([]byte, 65)}),
		"no accounts":              with(t, plain, 5, 0),
		"accounts without end":     with(t, plain, 5, maxStored+1),
		"fewer than no accounts":   with(t, plain, 5, -1),
	} {
		if a, _, err := parseAssertion(data, testRP, nil); !errors.Is(err, ErrMalformed) || a != nil {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
	for name, allow := range map[string][][]byte{"one": {{1}}, "two": {{1}, {2}}} {
		if a, _, err := parseAssertion(encoded(t, plain), testRP, allow); !errors.Is(err, ErrMalformed) {
			t.Errorf("not asked for, %s: %+v, %v", name, a, err)
		}
	}
	if a, _, err := parseAssertion(with(t, plain, 1, nil), testRP, [][]byte{{1}, anID}); !errors.Is(err, ErrMalformed) {
		t.Errorf("which of two is not told: %+v, %v", a, err)
	}
	if _, _, err := parseAssertion(encoded(t, plain), "other.example", nil); !errors.Is(err, ErrMalformed) {
		t.Errorf("another RP: %v", err)
	}
}

func TestWhatNoKeyMayTellOfItsCredentials(t *testing.T) {
	t.Parallel()
	plain := map[int]any{6: map[string]any{"id": []byte("user"), "displayName": "Zoë"}, 7: map[string]any{"id": anID}, 9: 2}
	s, total, err := parseStored(encoded(t, plain), true)
	if err != nil || total != 2 || !bytes.Equal(s.ID, anID) || s.User.DisplayName != "Zoë" {
		t.Fatalf("%+v, %d, %v", s, total, err)
	}
	if _, _, err := parseStored(with(t, plain, 9, nil), false); err != nil {
		t.Errorf("the next: %v", err)
	}
	for name, data := range map[string][]byte{
		"nothing":                 nil,
		"no total":                with(t, plain, 9, nil),
		"a total of none":         with(t, plain, 9, 0),
		"a total without end":     with(t, plain, 9, maxStored+1),
		"no credential":           with(t, plain, 7, nil),
		"a credential without id": with(t, plain, 7, map[string]any{}),
		"no user":                 with(t, plain, 6, nil),
		"an id of 1024 octets":    with(t, plain, 7, map[string]any{"id": make([]byte, 1024)}),
	} {
		if s, _, err := parseStored(data, true); !errors.Is(err, ErrMalformed) || s != nil {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
}

func TestListsAreCutToWhatAKeyTakes(t *testing.T) {
	t.Parallel()
	ids := func(sizes ...int) (all [][]byte) {
		for _, n := range sizes {
			all = append(all, make([]byte, n))
		}
		return all
	}
	for name, c := range map[string]struct {
		ids  [][]byte
		info Info
		base int
		want []int // ids in each list
	}{
		"none":                     {nil, Info{}, 100, nil},
		"one":                      {ids(64), Info{MaxMsgSize: 1024}, 100, []int{1}},
		"as many as are told":      {ids(16, 16, 16), Info{MaxMsgSize: 1024, MaxListed: 2}, 100, []int{2, 1}},
		"as many as fit":           {ids(300, 300, 300, 300), Info{MaxMsgSize: 1024}, 100, []int{2, 2}},
		"too long ones":            {ids(300, 16, 65), Info{MaxMsgSize: 1024, MaxIDLength: 64}, 100, []int{1}},
		"too long for any message": {ids(1000, 16), Info{MaxMsgSize: 1024}, 100, []int{1}},
		"a key that lies":          {ids(300), Info{MaxMsgSize: 0}, 100, []int{1}},
		"no room at all":           {ids(16), Info{MaxMsgSize: 1024}, 1024, nil},
	} {
		got := lists(c.ids, &c.info, c.base)
		var n []int
		for _, list := range got {
			n = append(n, len(list))
			command, err := getAssertion(GetAssertion{RPID: testRP, Allow: list}, proof{})
			if err != nil {
				t.Fatal(err)
			}
			bare, err := getAssertion(GetAssertion{RPID: testRP}, proof{})
			if err != nil {
				t.Fatal(err)
			}
			if size := c.base + len(command) - len(bare); size > 1024 {
				t.Errorf("%s: a message of %d octets", name, size)
			}
		}
		if !slices.Equal(n, c.want) {
			t.Errorf("%s: %v, want %v", name, n, c.want)
		}
	}
}

func TestNamesAreCutToWhatEveryKeyTakes(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 63)
	command, err := makeCredential(MakeCredential{
		RP: RelyingParty{ID: testRP, Name: long + "é"}, User: User{ID: []byte("user"), Name: long + "xyz", DisplayName: long + "y"},
	}, proof{})
	if err != nil {
		t.Fatal(err)
	}
	var sent struct {
		RP   struct{ Name string } `cbor:"2,keyasint"`
		User struct {
			Name        string
			DisplayName string `cbor:"displayName"`
		} `cbor:"3,keyasint"`
	}
	if err := strict().Unmarshal(command[1:], &sent); err != nil {
		t.Fatal(err)
	}
	if sent.RP.Name != long || sent.User.Name != long+"x" || sent.User.DisplayName != long+"y" {
		t.Errorf("%+v", sent)
	}
	if got := short(strings.Repeat("\x80", 70)); len(got) > 64 {
		t.Errorf("%d octets of no text", len(got))
	}
}

// With a token the option uv must not be there (CTAP 2.1, 6.1.2 and 6.2.2).
func TestOptionsAreSentWhereTheySaySomething(t *testing.T) {
	t.Parallel()
	token := &Token{protocol: 1, secret: make([]byte, 16)}
	for name, c := range map[string]struct {
		rk, noUP, uv bool
		token        *Token
		made, got    map[string]bool
	}{
		"nothing asked":      {},
		"verified by itself": {rk: true, uv: true, made: map[string]bool{"rk": true, "uv": true}, got: map[string]bool{"uv": true}},
		"by a token":         {rk: true, uv: true, token: token, made: map[string]bool{"rk": true}},
		"silent":             {noUP: true, got: map[string]bool{"up": false}},
	} {
		p := c.token.authenticate([]byte("hash"))
		made, err := makeCredential(MakeCredential{ResidentKey: c.rk, UV: c.uv}, p)
		if err != nil {
			t.Fatal(err)
		}
		got, err := getAssertion(GetAssertion{NoUP: c.noUP, UV: c.uv}, p)
		if err != nil {
			t.Fatal(err)
		}
		var sent struct {
			Make  map[string]bool `cbor:"7,keyasint"`
			Param []byte          `cbor:"8,keyasint"`
		}
		if err := strict().Unmarshal(made[1:], &sent); err != nil || !maps.Equal(sent.Make, c.made) || len(sent.Param) != 16 && c.token != nil {
			t.Errorf("%s: %+v, %v, want %v", name, sent, err, c.made)
		}
		var asked struct {
			Options map[string]bool `cbor:"5,keyasint"`
		}
		if err := strict().Unmarshal(got[1:], &asked); err != nil || !maps.Equal(asked.Options, c.got) {
			t.Errorf("%s: %v, %v, want %v", name, asked.Options, err, c.got)
		}
	}
}
