package fido

import (
	"errors"
	"slices"
	"testing"

	"github.com/fxamacker/cbor/v2"
)

func encoded(t testing.TB, v any) []byte {
	t.Helper()
	mode, err := cbor.CTAP2EncOptions().EncMode()
	if err != nil {
		t.Fatal(err)
	}
	b, err := mode.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// plainInfo is what a common key says.
func plainInfo() map[int]any {
	return map[int]any{
		1: []string{"U2F_V2", "FIDO_2_0", "FIDO_2_1"}, 2: []string{"credProtect", "hmac-secret"},
		3: []byte("0123456789abcdef"),
		4: map[string]bool{"rk": true, "up": true, "plat": false, "clientPin": true, "alwaysUv": false},
		5: 1200, 6: []int{2, 1}, 7: 8, 8: 128, 9: []string{"nfc", "usb"},
		10: []map[string]any{{"alg": -7, "type": "public-key"}, {"alg": -8, "type": "public-key"}},
		12: true, 13: 6, 14: 328707,
	}
}

func TestWhatAKeySaysOfItself(t *testing.T) {
	t.Parallel()
	info, err := parseInfo(encoded(t, plainInfo()))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(info.Versions, []string{"U2F_V2", "FIDO_2_0", "FIDO_2_1"}) || !info.FIDO2() ||
		info.AAGUID.String() != "30313233-3435-3637-3839-616263646566" || info.MaxMsgSize != 1200 || info.MaxListed != 8 || info.MaxIDLength != 128 ||
		!slices.Equal(info.PINProtocols, []uint{2, 1}) || !slices.Equal(info.Transports, []string{"nfc", "usb"}) ||
		!slices.Equal(info.Algorithms, []int64{-7, -8}) || !info.ForcePINChange || info.MinPINLength != 6 || info.Firmware != 328707 {
		t.Errorf("%+v", info)
	}
	if p := info.Option("clientPin"); p == nil || !*p || !info.Has("clientPin") {
		t.Error("clientPin")
	}
	if p := info.Option("alwaysUv"); p == nil || *p {
		t.Error("alwaysUv")
	}
	if info.Option("uv") != nil {
		t.Error("uv is there")
	}
	least, err := parseInfo(encoded(t, map[int]any{1: []string{"U2F_V2"}, 3: make([]byte, 16)}))
	if err != nil || least.MaxMsgSize != 1024 || least.MaxListed != 0 || least.MaxIDLength != 0 || least.MinPINLength != 4 || least.FIDO2() || least.pinProtocol() != 1 {
		t.Errorf("%+v, %v", least, err)
	}
}

// The library's own type has strings where CTAP 2.2 has byte strings, so that
// it can read nothing at all of such a key.
func TestAKeyOfCTAP22IsRead(t *testing.T) {
	t.Parallel()
	m := plainInfo()
	m[22], m[25], m[26], m[27], m[28], m[29] = []string{"packed"}, make([]byte, 32), []string{"usb"}, true, []byte("https://example.com"), 63
	m[99] = map[string]any{"unheard": []any{"of", 1.5, nil}}
	if _, err := parseInfo(encoded(t, m)); err != nil {
		t.Error(err)
	}
}

func TestWhatNoKeyMaySay(t *testing.T) {
	t.Parallel()
	with := func(member int, v any) []byte {
		m := plainInfo()
		if m[member] = v; v == nil {
			delete(m, member)
		}
		return encoded(t, m)
	}
	long := make([]string, 5*maxList)
	for i := range long {
		long[i] = "x"
	}
	for name, data := range map[string][]byte{
		"nothing":                        nil,
		"no map":                         {0x01},
		"a map without its end":          {0xa1, 0x01},
		"more behind the end":            append(encoded(t, plainInfo()), 0),
		"an indefinite map":              {0xbf, 0xff},
		"a member twice":                 {0xa2, 0x05, 0x01, 0x05, 0x02},
		"a tag":                          {0xa1, 0x05, 0xc1, 0x01},
		"nested too deep":                {0xa1, 0x18, 0x63, 0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x01},
		"no versions":                    with(1, nil),
		"no aaguid":                      with(3, nil),
		"an aaguid too short":            with(3, make([]byte, 15)),
		"an option that is text":         with(4, map[string]any{"rk": "yes"}),
		"a version to clear the screen":  with(1, []string{"FIDO_2_0\x1b[2J"}),
		"a version of 129 octets":        with(1, []string{string(make([]byte, 129))}),
		"an option with a line end":      with(4, map[string]bool{"rk\n": true}),
		"a list without end":             with(9, long),
		"a size that is no size":         with(5, uint64(1)<<63),
		"a negative size":                with(5, -1),
		"a PIN protocol that is none":    with(6, []uint64{1 << 40}),
		"a list length that is none":     with(7, uint64(1)<<32),
		"an id length that is none":      with(8, uint64(1)<<32),
		"a PIN length that is no length": with(13, uint64(1)<<32),
	} {
		if info, err := parseInfo(data); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, info, err)
		}
	}
}

func TestTriesThatAreNotToldAreNotZero(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		data  any
		uv    bool
		n     int
		cycle bool
		ok    bool
	}{
		{map[int]any{3: 8}, false, 8, false, true},
		{map[int]any{3: 0, 4: true}, false, 0, true, true},
		{map[int]any{5: 3}, true, 3, false, true},
		{map[int]any{}, false, 0, false, false},
		{map[int]any{5: 3}, false, 0, false, false},
		{map[int]any{3: 8}, true, 0, false, false},
		{map[int]any{3: 256}, false, 0, false, false},
		{map[int]any{3: -1}, false, 0, false, false},
		{map[int]any{3: "8"}, false, 0, false, false},
	} {
		n, cycle, err := parseRetries(encoded(t, c.data), c.uv)
		if n != c.n || cycle != c.cycle || (err == nil) != c.ok || (err != nil && !errors.Is(err, ErrMalformed)) {
			t.Errorf("%v: %d, %v, %v", c.data, n, cycle, err)
		}
	}
}

func FuzzInfo(f *testing.F) {
	f.Add(encoded(f, plainInfo()))
	f.Add(encoded(f, map[int]any{3: 8, 4: false, 5: 3}))
	f.Add([]byte{0xa1, 0x18, 0x63, 0x81, 0x81, 0x81})
	f.Add([]byte{0xbf, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		info, err := parseInfo(data)
		if (err == nil) == (info == nil) || (err != nil && !errors.Is(err, ErrMalformed)) {
			t.Errorf("%+v, %v", info, err)
		}
		if info != nil && (len(info.Versions) == 0 || info.MaxMsgSize < 0 || info.pinProtocol() == 0) {
			t.Errorf("%+v", info)
		}
		if n, _, err := parseRetries(data, false); n < 0 || n > 255 || (err != nil && !errors.Is(err, ErrMalformed)) {
			t.Errorf("%d, %v", n, err)
		}
	})
}
