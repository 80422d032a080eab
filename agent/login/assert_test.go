package login_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"authbridge/agent/cis2"
	"authbridge/agent/contract"
	"authbridge/agent/login"
)

const issuer = "https://am.example:443" + cis2.RealmPath

var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// good are the claims and userinfo of a login that is as it must be.
func good() (claims, user map[string]any) {
	claims = map[string]any{
		"iss": issuer, "sub": cardUser, "aud": "app", "azp": "app", "nonce": "n", "iat": noon.Unix(), "exp": noon.Add(time.Hour).Unix(),
		"auth_time": noon.Unix(), "acr": "AAL3_ANY", "amr": []string{"N3_SMARTCARD"},
		"authentication_assurance_level": "3", "id_assurance_level": "3", "selected_roleid": "600010000001",
	}
	user = map[string]any{
		"sub": cardUser, "uid": cardUser, "nhsid_useruid": cardUser, "selected_roleid": "600010000001",
		"nhsid_nrbac_roles": []cis2.Role{cis2.NewRole(cardUser, "R8000", 1)},
	}
	return claims, user
}

func want() login.Expectation {
	acrs, _ := cis2.DefaultACRs().Parse("AAL3_ANY")
	return login.Expectation{
		Issuer: issuer, ClientID: "app", Nonce: "n", WantsNonce: true, ACRs: acrs, Known: cis2.DefaultACRs(), AMRs: cis2.DefaultAMRs(), AAL: 3,
		Keys: jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &desk().key.PublicKey, KeyID: "one"}}}, With: cis2.Smartcard,
		User: cardUser, CardUser: cardUser, Scopes: []string{"openid", "nationalrbacaccess", "selectedrole"},
		Now: noon.Add(2 * time.Second), MaxAge: 5 * time.Minute, Since: noon.Add(-time.Second),
	}
}

// signBy signs with any key, which is in the header too.
func signBy(t testing.TB, key, claims any, algorithm jose.SignatureAlgorithm) []byte {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: jose.JSONWebKey{Key: key, KeyID: "one"}},
		&jose.SignerOptions{EmbedJWK: algorithm != jose.HS256})
	must(t, err)
	body, err := json.Marshal(claims)
	must(t, err)
	signed, err := signer.Sign(body)
	must(t, err)
	text, err := signed.CompactSerialize()
	must(t, err)
	return []byte(text)
}

func sign(t testing.TB, claims any, algorithm jose.SignatureAlgorithm, kid string) []byte {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: jose.JSONWebKey{Key: desk().key, KeyID: kid}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(body)
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return []byte(text)
}

func failed(steps []contract.LoginStep) (names []string) {
	for _, s := range steps {
		if s.State == contract.StepFail {
			names = append(names, s.Name)
		}
	}
	return names
}

// TestAssertions is the table of what can be wrong with a token: each row fails
// the assertions that it names, and no other.
func TestAssertions(t *testing.T) {
	t.Parallel()
	type parts struct {
		claims, user map[string]any
		want         login.Expectation
	}
	set := func(name string, value any) func(*parts) {
		return func(p *parts) {
			if p.claims[name] = value; value == nil {
				delete(p.claims, name)
			}
		}
	}
	user := func(name string, value any) func(*parts) {
		return func(p *parts) {
			if p.user[name] = value; value == nil {
				delete(p.user, name)
			}
		}
	}
	at := func(name string, by time.Duration) func(*parts) { return set(name, noon.Add(by).Unix()) }
	for _, row := range []struct {
		name   string
		change func(*parts)
		wrong  string
	}{
		{"as it must be", func(*parts) {}, ""},
		{"levels as numbers", func(p *parts) {
			p.claims["authentication_assurance_level"], p.claims["id_assurance_level"] = 3, 3
		}, ""},
		{"two audiences", set("aud", []string{"app", "other"}), ""},
		{"two audiences, no azp", func(p *parts) {
			p.claims["aud"] = []string{"app", "other"}
			delete(p.claims, "azp")
		}, "audience"},
		{"no azp", set("azp", nil), ""},
		{"another azp", set("azp", "other"), "authorised-party"},
		{"another audience", set("aud", "other"), "audience"},
		{"no audience", set("aud", nil), "audience"},
		{"a client that is not known", func(p *parts) { p.want.ClientID = "" }, ""},
		{"a client that is not known, audience null", func(p *parts) { p.want.ClientID = ""; p.claims["aud"] = (*string)(nil) }, ""},
		{"issuer without port", set("iss", strings.Replace(issuer, ":443", "", 1)), "issuer"},
		{"issuer with a slash", set("iss", issuer+"/"), "issuer"},
		{"issuer in capitals", set("iss", strings.ToUpper(issuer)), "issuer"},
		{"no issuer", set("iss", nil), "issuer"},
		{"another nonce", set("nonce", "m"), "nonce"},
		{"no nonce", set("nonce", nil), "nonce"},
		{"nonce not known", func(p *parts) { p.want.WantsNonce = false }, ""},
		{"expired", at("exp", -time.Minute), "expiry"},
		{"expires now", at("exp", 0), ""},
		{"no expiry", set("exp", nil), "expiry"},
		{"issued to come", at("iat", time.Minute), "issued-at"},
		{"issued before", at("iat", -time.Hour), "issued-at"},
		{"issued before the sign-in", func(p *parts) { at("iat", -time.Hour)(p); p.want.Since = time.Time{} }, "issued-at"},
		{"issued at no time that there is", func(p *parts) { set("iat", math.MaxInt64)(p); p.want.Since = time.Time{} }, "issued-at"},
		{"expires at no time that there is", set("exp", math.MaxInt64), "expiry"},
		{"signed in at no time that there is", set("auth_time", math.MinInt64), "auth-time"},
		{"no time of issue", set("iat", nil), "issued-at"},
		{"clocks a little apart", func(p *parts) { at("iat", 20*time.Second)(p); at("auth_time", 20*time.Second)(p) }, ""},
		{"an old session", at("auth_time", -time.Minute), "auth-time"},
		{"any session within max_age", func(p *parts) { at("auth_time", -time.Minute)(p); p.want.Since = time.Time{} }, ""},
		{"another sign-in than the ceremony's", func(p *parts) { p.want.Until = noon.Add(-time.Minute) }, "auth-time"},
		{"the ceremony's sign-in", func(p *parts) { p.want.Until = noon }, ""},
		{"older than max_age", func(p *parts) { at("auth_time", -time.Hour)(p); p.want.Since = time.Time{} }, "auth-time"},
		{"signed in to come", at("auth_time", time.Hour), "auth-time"},
		{"no auth_time", set("auth_time", nil), "auth-time"},
		{"level 2", set("authentication_assurance_level", "2"), "authentication-level"},
		{"level 2 as a number", set("authentication_assurance_level", 2), "authentication-level"},
		{"no level", set("authentication_assurance_level", nil), "authentication-level"},
		{"level 2 where it will do", func(p *parts) { set("authentication_assurance_level", "2")(p); p.want.AAL = 2 }, ""},
		{"a level that is none", set("authentication_assurance_level", "three"), "claims"},
		{"identity level 2", set("id_assurance_level", 2), "identity-level"},
		{"no identity level", set("id_assurance_level", nil), "identity-level"},
		{"no acr", set("acr", nil), "acr"},
		{"an acr of AAL2", set("acr", "AAL2_ANY"), "acr"},
		{"an acr that the card does not satisfy", set("acr", "AAL3_FIDO2"), "acr"},
		{"an acr of the level, where a key was asked for and a card was used", func(p *parts) {
			p.want.ACRs, _ = cis2.DefaultACRs().Parse("AAL3_FIDO2")
		}, "acr"},
		{"another acr of the level", set("acr", "AAL3_SMARTCARD"), ""},
		{"an unknown acr of the level", set("acr", "AAL3_MOON"), ""},
		{"an unknown acr", set("acr", "MOON"), "acr"},
		{"a method that no card has", set("amr", []string{"FIDO2"}), "amr"},
		{"one method of several", set("amr", []string{"pwd", "N3_SMARTCARD"}), ""},
		{"no method", set("amr", nil), ""},
		{"a key's other method", func(p *parts) {
			p.want.With, p.want.CardUser, p.claims["amr"] = cis2.SecurityKey, "", []string{"WEBAUTHN"}
		}, ""},
		{"a key's sign-in that is called a card's", func(p *parts) { p.want.With, p.want.CardUser = cis2.SecurityKey, "" }, "amr"},
		{"another user", func(p *parts) { set("sub", keyUser)(p); p.user["sub"] = keyUser }, "subject subject-card subject-userinfo"},
		{"another card", func(p *parts) { p.want.CardUser = keyUser }, "subject-card"},
		{"no user known", func(p *parts) { p.want.User, p.want.CardUser = "", "" }, ""},
		{"a subject that is no UUID", func(p *parts) { set("sub", "ann")(p); p.want.User = "" }, "subject subject-card subject-userinfo"},
		{"userinfo of another", user("sub", keyUser), "subject-userinfo"},
		{"uid of another", user("uid", keyUser), "subject-userinfo"},
		{"nhsid_useruid of another", user("nhsid_useruid", keyUser), "subject-userinfo"},
		{"userinfo of another issuer", user("iss", strings.Replace(issuer, ":443", "", 1)), "subject-userinfo"},
		{"userinfo for another client", user("aud", "other"), "subject-userinfo"},
		{"userinfo for several", user("aud", []string{"other", "app"}), ""},
		{"no roles", user("nhsid_nrbac_roles", nil), "roles"},
		{"no selected role", func(p *parts) { set("selected_roleid", nil)(p); user("selected_roleid", nil)(p) }, "roles"},
		{"a selected role that is none", func(p *parts) { set("selected_roleid", "1")(p); user("selected_roleid", "1")(p) }, "roles"},
		{"two selected roles", user("selected_roleid", "1"), "roles"},
		{"no roles asked for", func(p *parts) { user("nhsid_nrbac_roles", nil)(p); p.want.Scopes = []string{"openid"} }, ""},
	} {
		p := parts{want: want()}
		p.claims, p.user = good()
		row.change(&p)
		userinfo, err := json.Marshal(p.user)
		must(t, err)
		steps := login.Assert(login.Tokens{IDToken: sign(t, p.claims, jose.RS256, "one"), Userinfo: userinfo}, p.want)
		if got := strings.Join(failed(steps), " "); got != row.wrong {
			t.Errorf("%s: failed are %q, want %q", row.name, got, row.wrong)
		}
		if len(steps) != 18 {
			t.Errorf("%s: %d steps", row.name, len(steps))
		}
		for _, s := range steps {
			if s.State == contract.StepFail && (s.Code == "" || s.Remedy == "" || s.Expected == "" || s.Evidence == "") || s.State == contract.StepPass && s.Code != "" {
				t.Errorf("%s: %+v", row.name, s)
			}
			if strings.Contains(s.Got+s.Expected+s.Evidence, cardUser) {
				t.Errorf("%s: it says whose it is: %+v", row.name, s)
			}
		}
	}
}

// TestSignatures is the table of signatures.
func TestSignatures(t *testing.T) {
	t.Parallel()
	claims, _ := good()
	two := want()
	two.Keys.Keys = append(two.Keys.Keys, jose.JSONWebKey{Key: &foreign().PublicKey, KeyID: "two"})
	published := func(as jose.JSONWebKey) login.Expectation {
		if as.KeyID = "one"; as.Key == nil {
			as.Key = &desk().key.PublicKey
		}
		w := want()
		w.Keys.Keys = []jose.JSONWebKey{as}
		return w
	}
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	must(t, err)
	shared := []byte("0123456789abcdef0123456789abcdef")
	for _, row := range []struct {
		name  string
		token []byte
		want  login.Expectation
		wrong bool
	}{
		{"RS256", sign(t, claims, jose.RS256, "one"), want(), false},
		{"RS512", sign(t, claims, jose.RS512, "one"), want(), false},
		{"PS256, which CIS2 does not sign with", sign(t, claims, jose.PS256, "one"), want(), true},
		{"a key of another id", sign(t, claims, jose.RS256, "three"), want(), true},
		{"no id, one key", sign(t, claims, jose.RS256, ""), want(), false},
		{"no id, two keys", sign(t, claims, jose.RS256, ""), two, true},
		{"the other's id", sign(t, claims, jose.RS256, "two"), two, true},
		{"a key for signatures", sign(t, claims, jose.RS256, "one"), published(jose.JSONWebKey{Use: "sig", Algorithm: "RS512"}), false},
		{"a key for encryption", sign(t, claims, jose.RS256, "one"), published(jose.JSONWebKey{Use: "enc"}), true},
		{"a key for an algorithm of another use", sign(t, claims, jose.RS256, "one"), published(jose.JSONWebKey{Algorithm: "RSA-OAEP"}), true},
		{"a key of 1024 bits", signBy(t, small, claims, jose.RS256), published(jose.JSONWebKey{Key: &small.PublicKey}), true},
		{"a shared secret", signBy(t, shared, claims, jose.HS256), published(jose.JSONWebKey{Key: shared}), true},
		{"a key where a secret is published", sign(t, claims, jose.RS256, "one"), published(jose.JSONWebKey{Key: shared}), true},
		{"a key in the token itself", signBy(t, foreign(), claims, jose.RS256), want(), true},
		{"no token", []byte("x"), want(), true},
		{"nothing", nil, want(), true},
		{"JSON serialisation", []byte(`{"payload":"e30","protected":"e30","signature":"e30"}`), want(), true},
	} {
		steps := login.Assert(login.Tokens{IDToken: row.token}, row.want)
		if got := slices.Contains(failed(steps), "signature"); got != row.wrong || len(steps) != 18 {
			t.Errorf("%s: %v, %d steps", row.name, failed(steps), len(steps))
		}
	}
}

// TestSignedUserinfo holds that a signed answer is verified (NHS: put your
// software live).
func TestSignedUserinfo(t *testing.T) {
	t.Parallel()
	claims, user := good()
	token := sign(t, claims, jose.RS256, "one")
	for _, row := range []struct {
		userinfo []byte
		wrong    bool
	}{
		{sign(t, user, jose.RS512, "one"), false},
		{sign(t, user, jose.RS256, "two"), true},
		{signBy(t, foreign(), user, jose.RS256), true},
		{[]byte("x.y.z"), true},
	} {
		if got := slices.Contains(failed(login.Assert(login.Tokens{IDToken: token, Userinfo: row.userinfo}, want())), "subject-userinfo"); got != row.wrong {
			t.Errorf("%s", row.userinfo)
		}
	}
}

func FuzzAssert(f *testing.F) {
	claims, user := good()
	userinfo, _ := json.Marshal(user)
	f.Add(sign(f, claims, jose.RS256, "one"), userinfo)
	f.Add([]byte("e30.e30.e30"), []byte(`"e30.e30.e30"`))
	f.Add([]byte("..."), []byte(`{"sub":1}`))
	f.Fuzz(func(t *testing.T, token, userinfo []byte) {
		steps := login.Assert(login.Tokens{IDToken: token, Userinfo: userinfo, AccessToken: []byte("x")}, want())
		if len(steps) != 18 {
			t.Errorf("%d steps", len(steps))
		}
	})
}
