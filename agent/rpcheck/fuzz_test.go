package rpcheck

import (
	"encoding/json"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"authbridge/agent/cis2"
	"authbridge/agent/contract"
)

// FuzzReadJWKS holds that a key set of whatever kind is judged, that what is shown
// of it can be shown, and that each RSA key that a library can use has the size
// that the library sees.
func FuzzReadJWKS(f *testing.F) {
	f.Add([]byte(`{"keys":[{"kty":"RSA","kid":"a","use":"sig","alg":"RS256","n":"AQAB","e":"AQAB"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AQAB"},{"kty":"EC","d":1},{}]}`))
	f.Add([]byte(`{"keys":null}`))
	f.Add([]byte(`{"KEYS":[{"kty":"RSA","kid":"\u001b[31m","n":"` + "AAAA" + `"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, err := readJWKS(text)
		if err != nil {
			return
		}
		for _, r := range judgeKeys(keys, cis2.Registration{Pattern: cis2.PrivateKeyJWT}) {
			if r.State == contract.Fail && r.Remedy == "" {
				t.Errorf("%s fails without a remedy", r.Name)
			}
			for _, c := range r.Got {
				if c < ' ' || c == 0x7f {
					t.Errorf("%s shows %q", r.Name, r.Got)
				}
			}
		}
		var set struct{ Keys []json.RawMessage }
		if json.Unmarshal(text, &set) != nil || len(set.Keys) != len(keys) {
			return
		}
		for i, raw := range set.Keys {
			var lib jose.JSONWebKey
			if lib.UnmarshalJSON(raw) != nil || keys[i].kty != "RSA" {
				continue
			}
			if public, ok := lib.Public().Key.(interface{ Size() int }); ok && public.Size() != (keys[i].bits+7)/8 {
				t.Errorf("key %d: %d octets for a library, %d bits here", i, public.Size(), keys[i].bits)
			}
		}
	})
}
