package rpcheck_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"authbridge/agent/cis2"
	"authbridge/agent/contract"
	"authbridge/agent/rpcheck"
)

// jwk is a key as a library writes it.
func jwk(k any, kid, alg string) json.RawMessage {
	text, err := jose.JSONWebKey{Key: k, KeyID: kid, Algorithm: alg, Use: "sig"}.MarshalJSON()
	if err != nil {
		panic(err)
	}
	return text
}

// publisher publishes a key set.
type publisher struct {
	status       int
	kind, cached string
	location     string
	body         []byte
}

func setOf(keys ...json.RawMessage) publisher {
	body, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		panic(err)
	}
	return publisher{body: body}
}

func (p publisher) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/jwks" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	for name, value := range map[string]string{"Content-Type": p.kind, "Cache-Control": p.cached, "Location": p.location} {
		if value != "" {
			w.Header().Set(name, value)
		}
	}
	if p.kind == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	if p.status != 0 {
		w.WriteHeader(p.status)
	}
	_, _ = w.Write(p.body)
}

func (p publisher) checked(t *testing.T, algorithm string) contract.RelyingParty {
	t.Helper()
	web := httptest.NewServer(p)
	t.Cleanup(web.Close)
	return checked(t, rpcheck.Party{Registration: cis2.Registration{
		Environment: cis2.Mock, ClientID: client, Pattern: cis2.PrivateKeyJWT, SigningAlgorithm: algorithm,
		Redirects: []string{web.URL + "/callback"}, JWKSURI: web.URL + "/jwks",
	}})
}

func TestEachThingWrongWithPublishedKeysIsRedOnItsRow(t *testing.T) {
	t.Parallel()
	good, small := signingKey(), rsaKey(1024)
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public := func(k *rsa.PrivateKey) *rsa.PublicKey { return &k.PublicKey }
	one := jwk(public(good), "one", "RS512")
	page := setOf()
	page.kind, page.body = "text/html", []byte("<html>Sign in</html>")
	for name, c := range map[string]struct {
		publisher
		red []string
	}{
		"good":           {setOf(one), nil},
		"two":            {setOf(one, jwk(&rsaKey(2048).PublicKey, "two", "RS512")), nil},
		"no alg":         {setOf(jwk(public(good), "one", "")), nil},
		"private":        {setOf(jwk(good, "one", "RS512")), []string{"jwks-private"}},
		"small":          {setOf(jwk(public(small), "one", "RS512")), []string{"jwks-size"}},
		"no kid":         {setOf(jwk(public(good), "", "RS512")), []string{"jwks-kid"}},
		"kid twice":      {setOf(one, jwk(&rsaKey(2048).PublicKey, "one", "RS512")), []string{"jwks-kid"}},
		"shared secret":  {setOf(one, jwk([]byte("the secret of a client, 32 octets"), "two", "HS256")), []string{"jwks-algorithms"}},
		"alg HS256":      {setOf(jwk(public(good), "one", "HS256")), []string{"jwks-algorithms"}},
		"other alg":      {setOf(jwk(public(good), "one", "RS256")), []string{"jwks-algorithms"}},
		"curve alone":    {setOf(jwk(&curve.PublicKey, "one", "")), []string{"jwks-usable"}},
		"none":           {setOf(), []string{"jwks-reached"}}, // null is no list
		"empty":          {publisher{body: []byte(`{"keys":[]}`)}, []string{"jwks-usable"}},
		"sign-in":        {page, []string{"jwks-reached"}},
		"redirect":       {publisher{status: http.StatusFound, location: "https://login.example/?next=secret"}, []string{"jwks-reached"}},
		"forbidden":      {publisher{status: http.StatusForbidden}, []string{"jwks-reached"}},
		"number as kid":  {publisher{body: []byte(`{"keys":[{"kty":"RSA","kid":1}]}`)}, []string{"jwks-reached"}},
		"without end":    {publisher{body: []byte(strings.Repeat(" ", 70<<10) + `{"keys":[]}`)}, []string{"jwks-reached"}},
		"broken modulus": {publisher{body: []byte(`{"keys":[{"kty":"RSA","kid":"one","n":"???","e":"AQAB"}]}`)}, []string{"jwks-size"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			done := c.checked(t, "RS512")
			if got := inState(done, contract.Fail); !slices.Equal(got, c.red) && len(got)+len(c.red) > 0 {
				t.Errorf("red: %q, want %q", got, c.red)
			}
			text, _ := json.Marshal(done)
			if d, _ := json.Marshal(good.D.Bytes()); strings.Contains(string(text), string(d[1:20])) || strings.Contains(string(text), "next=") || strings.Contains(string(text), "the secret") {
				t.Error("what was published is repeated")
			}
		})
	}
}

func TestHowKeysAreServedIsRemarked(t *testing.T) {
	t.Parallel()
	one := jwk(&signingKey().PublicKey, "one", "")
	for cached, want := range map[string]contract.CheckState{
		"": contract.Pass, "max-age=300": contract.Pass, "public, MAX-AGE=3600": contract.Pass, "max-age=86400": contract.Warn, "s-maxage=7200": contract.Warn, "no-store": contract.Pass,
		"max-age=9223372036854775807": contract.Warn, "max-age=9999999999999999999999": contract.Warn, "max-age=soon": contract.Pass, `max-age="60"`: contract.Pass,
	} {
		p := setOf(one)
		p.cached = cached
		if r := rowOf(t, p.checked(t, ""), "jwks-cache"); r.State != want {
			t.Errorf("%q: %+v", cached, r)
		}
	}
	p := setOf(one)
	p.kind = "text/plain"
	if r := rowOf(t, p.checked(t, ""), "jwks-reached"); r.State != contract.Warn || !strings.Contains(r.Evidence, "text/plain") {
		t.Errorf("%+v", r)
	}
	many := make([]json.RawMessage, 4)
	for i := range many {
		many[i] = jwk(&signingKey().PublicKey, string(rune('a'+i)), "")
	}
	if r := rowOf(t, setOf(many...).checked(t, ""), "jwks-rollover"); r.State != contract.Warn {
		t.Errorf("%+v", r)
	}
}
