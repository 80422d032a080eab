package webauthn

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"
)

// fields are the members of options.
type fields map[string]any

func (f fields) with(name string, value any) fields {
	out := maps.Clone(f)
	if value == nil {
		delete(out, name)
	} else {
		out[name] = value
	}
	return out
}

func (f fields) json(t testing.TB) []byte {
	t.Helper()
	data, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func param(alg any) fields { return fields{"type": "public-key", "alg": alg} }

var (
	create = fields{
		"rp":               fields{"name": "Org", "id": "example.org"},
		"user":             fields{"id": "AQID", "name": "jo", "displayName": "Jo"},
		"challenge":        "AAECAwQFBgcICQoLDA0ODw",
		"pubKeyCredParams": []any{param(-7), param(-257)},
	}
	get  = fields{"challenge": "AAECAwQFBgcICQoLDA0ODw"}
	null = json.RawMessage("null")
)

func long(octets int) string { return raw64(make([]byte, octets)) }

func TestCreationDefaults(t *testing.T) {
	t.Parallel()
	c, err := ParseCreation(create.json(t), org, orgs)
	if err != nil {
		t.Fatal(err)
	}
	want := &Creation{
		RPID: "example.org", RPName: "Org", UserID: []byte{1, 2, 3}, UserName: "jo", DisplayName: "Jo",
		Algorithms: []int64{-7, -257}, ResidentKey: Discouraged, UV: Preferred, Attestation: "none",
		ClientData: []byte(`{"type":"webauthn.create","challenge":"AAECAwQFBgcICQoLDA0ODw","origin":"https://example.org","crossOrigin":false}`),
	}
	want.ClientDataHash = c.ClientDataHash
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
}

func TestCreationOptions(t *testing.T) {
	t.Parallel()
	selection := func(f fields) fields { return create.with("authenticatorSelection", f) }
	extensions := func(f fields) fields { return create.with("extensions", f) }
	for _, row := range []struct {
		what    string
		options fields
		check   func(*Creation) bool
	}{
		{"no rp.id", create.with("rp", fields{"name": "Org"}), func(c *Creation) bool { return c.RPID == "example.org" }},
		{"an empty list of algorithms", create.with("pubKeyCredParams", []any{}), func(c *Creation) bool { return reflect.DeepEqual(c.Algorithms, []int64{-7, -257}) }},
		{"unknown types and duplicates", create.with("pubKeyCredParams", []any{fields{"type": "x", "alg": -8}, param(-8), param(-7), param(-8)}), func(c *Creation) bool { return reflect.DeepEqual(c.Algorithms, []int64{-8, -7}) }},
		{"UV required", selection(fields{"userVerification": "required"}), func(c *Creation) bool { return c.UV == Required }},
		{"UV discouraged", selection(fields{"userVerification": "discouraged"}), func(c *Creation) bool { return c.UV == Discouraged }},
		{"UV unknown", selection(fields{"userVerification": "REQUIRED"}), func(c *Creation) bool { return c.UV == Preferred }},
		{"UV null", selection(fields{"userVerification": null}), func(c *Creation) bool { return c.UV == Preferred }},
		{"residentKey", selection(fields{"residentKey": "preferred"}), func(c *Creation) bool { return c.ResidentKey == Preferred }},
		{"residentKey before requireResidentKey", selection(fields{"residentKey": "discouraged", "requireResidentKey": true}), func(c *Creation) bool { return c.ResidentKey == Discouraged }},
		{"requireResidentKey alone", selection(fields{"requireResidentKey": true}), func(c *Creation) bool { return c.ResidentKey == Required }},
		{"requireResidentKey with an unknown residentKey", selection(fields{"residentKey": "always", "requireResidentKey": true}), func(c *Creation) bool { return c.ResidentKey == Required }},
		{"attachment", selection(fields{"authenticatorAttachment": "platform"}), func(c *Creation) bool { return c.Attachment == "platform" }},
		{"attachment unknown", selection(fields{"authenticatorAttachment": "usb"}), func(c *Creation) bool { return c.Attachment == "" }},
		{"selection null", create.with("authenticatorSelection", null), func(c *Creation) bool { return c.UV == Preferred }},
		{"attestation", create.with("attestation", "direct"), func(c *Creation) bool { return c.Attestation == "direct" }},
		{"attestation unknown", create.with("attestation", "full"), func(c *Creation) bool { return c.Attestation == "none" }},
		{"user ID of 64 octets", create.with("user", fields{"id": long(64), "name": "", "displayName": ""}), func(c *Creation) bool { return len(c.UserID) == 64 }},
		{"exclude", create.with("excludeCredentials", []any{
			fields{"type": "public-key", "id": "AQ", "transports": []any{"usb", "cable", "nfc"}},
			fields{"type": "password", "id": "Ag"},
		}), func(c *Creation) bool {
			return reflect.DeepEqual(c.Exclude, []Descriptor{{ID: []byte{1}, Transports: []string{"usb", "nfc"}}})
		}},
		{"exclude of unknown types alone", create.with("excludeCredentials", []any{fields{"type": "password", "id": "Ag"}}), func(c *Creation) bool { return len(c.Exclude) == 0 }},
		{"unknown members", create.with("timeout", "soon").with("hints", 7).with("Challenge", 1).with("xyz", fields{}), func(c *Creation) bool { return c.RPID == "example.org" }},
		{"credProps", extensions(fields{"credProps": true, "appid": "https://x", "prf": fields{}}), func(c *Creation) bool { return c.CredProps && c.CredProtect == 0 }},
		{"credProtect 1", extensions(fields{"credentialProtectionPolicy": "userVerificationOptional"}), func(c *Creation) bool { return c.CredProtect == 1 && !c.EnforceCredProtect }},
		{"credProtect 2", extensions(fields{"credentialProtectionPolicy": "userVerificationOptionalWithCredentialIDList"}), func(c *Creation) bool { return c.CredProtect == 2 }},
		{"credProtect 3, enforced", extensions(fields{"credentialProtectionPolicy": "userVerificationRequired", "enforceCredentialProtectionPolicy": true}), func(c *Creation) bool { return c.CredProtect == 3 && c.EnforceCredProtect }},
		{"nothing enforced", extensions(fields{"enforceCredentialProtectionPolicy": true}), func(c *Creation) bool { return !c.EnforceCredProtect }},
	} {
		c, err := ParseCreation(row.options.json(t), org, orgs)
		if err != nil {
			t.Errorf("%s: %v", row.what, err)
		} else if !row.check(c) {
			t.Errorf("%s: %+v", row.what, c)
		}
	}
}

func TestCreationRefusals(t *testing.T) {
	t.Parallel()
	user := func(name string, value any) fields {
		return create.with("user", fields{"id": "AQID", "name": "jo", "displayName": "Jo"}.with(name, value))
	}
	many := func(item any) (all []any) {
		for range maxList + 1 {
			all = append(all, item)
		}
		return all
	}
	for _, row := range []struct {
		what    string
		options fields
		name    ErrorName
		kind    Kind
		field   string
	}{
		{"no rp", create.with("rp", nil), TypeError, Malformed, "rp"},
		{"rp null", create.with("rp", null), TypeError, Malformed, "rp"},
		{"rp a string", create.with("rp", "example.org"), TypeError, Malformed, "rp"},
		{"no rp.name", create.with("rp", fields{"id": "example.org"}), TypeError, Malformed, "rp.name"},
		{"rp.name null", create.with("rp", fields{"name": null}), TypeError, Malformed, "rp.name"},
		{"rp.name long", create.with("rp", fields{"name": strings.Repeat("x", maxName+1)}), RangeError, Malformed, "rp.name"},
		{"rp.id a number", create.with("rp", fields{"name": "", "id": 1}), TypeError, Malformed, "rp.id"},
		{"rp.id null", create.with("rp", fields{"name": "", "id": null}), TypeError, Malformed, "rp.id"},
		{"rp.id empty", create.with("rp", fields{"name": "", "id": ""}), SecurityError, RPIDRefused, ""},
		{"rp.id of others", create.with("rp", fields{"name": "", "id": "example.com"}), SecurityError, RPIDRefused, ""},
		{"no user", create.with("user", nil), TypeError, Malformed, "user"},
		{"no user.id", user("id", nil), TypeError, Malformed, "user.id"},
		{"user.id empty", user("id", ""), TypeError, Malformed, "user.id"},
		{"user.id of 65 octets", user("id", long(65)), TypeError, Malformed, "user.id"},
		{"user.id with padding", user("id", "AQ=="), EncodingError, Malformed, "user.id"},
		{"user.id in base64", user("id", "+/8"), EncodingError, Malformed, "user.id"},
		{"user.id with a line break", user("id", "AQ\nID"), EncodingError, Malformed, "user.id"},
		{"user.id with stray bits", user("id", "AR"), EncodingError, Malformed, "user.id"},
		{"no user.name", user("name", nil), TypeError, Malformed, "user.name"},
		{"user.name a number", user("name", 7), TypeError, Malformed, "user.name"},
		{"no user.displayName", user("displayName", nil), TypeError, Malformed, "user.displayName"},
		{"no challenge", create.with("challenge", nil), TypeError, Malformed, "challenge"},
		{"challenge in another case", create.with("challenge", nil).with("Challenge", "AQ"), TypeError, Malformed, "challenge"},
		{"challenge empty", create.with("challenge", ""), TypeError, Malformed, "challenge"},
		{"challenge long", create.with("challenge", long(maxChallenge+1)), RangeError, Malformed, "challenge"},
		{"challenge a list", create.with("challenge", []any{1, 2}), TypeError, Malformed, "challenge"},
		{"no algorithms", create.with("pubKeyCredParams", nil), TypeError, Malformed, "pubKeyCredParams"},
		{"algorithms null", create.with("pubKeyCredParams", null), TypeError, Malformed, "pubKeyCredParams"},
		{"algorithms an object", create.with("pubKeyCredParams", param(-7)), TypeError, Malformed, "pubKeyCredParams"},
		{"an algorithm that is a number", create.with("pubKeyCredParams", []any{-7}), TypeError, Malformed, "pubKeyCredParams[0]"},
		{"an algorithm that is a string", create.with("pubKeyCredParams", []any{param(-7), param("-7")}), TypeError, Malformed, "pubKeyCredParams[1].alg"},
		{"an algorithm that is no long", create.with("pubKeyCredParams", []any{param(1 << 40)}), TypeError, Malformed, "pubKeyCredParams[0].alg"},
		{"an algorithm without type", create.with("pubKeyCredParams", []any{fields{"alg": -7}}), TypeError, Malformed, "pubKeyCredParams[0].type"},
		{"no known type", create.with("pubKeyCredParams", []any{fields{"type": "x", "alg": -7}}), NotSupportedError, Unsupported, "pubKeyCredParams"},
		{"too many algorithms", create.with("pubKeyCredParams", many(param(-7))), RangeError, Malformed, "pubKeyCredParams"},
		{"UV a boolean", create.with("authenticatorSelection", fields{"userVerification": true}), TypeError, Malformed, "authenticatorSelection.userVerification"},
		{"requireResidentKey a string", create.with("authenticatorSelection", fields{"requireResidentKey": "yes"}), TypeError, Malformed, "authenticatorSelection.requireResidentKey"},
		{"selection a list", create.with("authenticatorSelection", []any{}), TypeError, Malformed, "authenticatorSelection"},
		{"attestation a number", create.with("attestation", 1), TypeError, Malformed, "attestation"},
		{"exclude null", create.with("excludeCredentials", null), TypeError, Malformed, "excludeCredentials"},
		{"exclude without ID", create.with("excludeCredentials", []any{fields{"type": "public-key"}}), TypeError, Malformed, "excludeCredentials[0].id"},
		{"exclude with a long ID", create.with("excludeCredentials", []any{fields{"type": "public-key", "id": long(1024)}}), RangeError, Malformed, "excludeCredentials[0].id"},
		{"exclude with transports that are none", create.with("excludeCredentials", []any{fields{"type": "public-key", "id": "AQ", "transports": []any{1}}}), TypeError, Malformed, "excludeCredentials[0].transports[0]"},
		{"too many to exclude", create.with("excludeCredentials", many(fields{"type": "public-key", "id": "AQ"})), RangeError, Malformed, "excludeCredentials"},
		{"extensions a list", create.with("extensions", []any{}), TypeError, Malformed, "extensions"},
		{"credProps a string", create.with("extensions", fields{"credProps": "true"}), TypeError, Malformed, "extensions.credProps"},
		{"an unknown policy", create.with("extensions", fields{"credentialProtectionPolicy": "max"}), NotSupportedError, Unsupported, "extensions.credentialProtectionPolicy"},
		{"too much", create.with("xyz", strings.Repeat("x", maxOptions)), RangeError, Malformed, ""},
	} {
		t.Run(row.what, func(t *testing.T) {
			_, err := ParseCreation(row.options.json(t), org, orgs)
			wantError(t, err, row.name, row.kind, row.field)
		})
	}
	for _, options := range []string{"", "null", "[]", "1", `"x"`, "{", `{}{}`, "{\"challenge\":\"AQ\",}"} {
		_, err := ParseCreation([]byte(options), org, orgs)
		wantError(t, err, TypeError, Malformed, "")
	}
}

func TestRequestOptions(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		what    string
		options fields
		check   func(*Request) bool
	}{
		{"the least", get, func(r *Request) bool { return r.RPID == "example.org" && r.UV == Preferred && r.Allow == nil }},
		{"UV", get.with("userVerification", "required"), func(r *Request) bool { return r.UV == Required }},
		{"UV unknown", get.with("userVerification", "must"), func(r *Request) bool { return r.UV == Preferred }},
		{"rpId", get.with("rpId", "example.org"), func(r *Request) bool { return r.RPID == "example.org" }},
		{"an empty list", get.with("allowCredentials", []any{}), func(r *Request) bool { return len(r.Allow) == 0 }},
		{"unknown types", get.with("allowCredentials", []any{fields{"type": "x", "id": "AQ"}, fields{"type": "public-key", "id": "Ag"}}), func(r *Request) bool { return len(r.Allow) == 1 && r.Allow[0].ID[0] == 2 }},
		{"extensions", get.with("extensions", fields{"appid": "https://x", "largeBlob": 7}), func(r *Request) bool { return r.RPID == "example.org" }},
	} {
		r, err := ParseRequest(row.options.json(t), org, orgs)
		if err != nil {
			t.Errorf("%s: %v", row.what, err)
		} else if !row.check(r) {
			t.Errorf("%s: %+v", row.what, r)
		}
	}
	for _, row := range []struct {
		what    string
		options fields
		name    ErrorName
		kind    Kind
		field   string
	}{
		{"no challenge", get.with("challenge", nil), TypeError, Malformed, "challenge"},
		{"challenge with padding", get.with("challenge", "AA=="), EncodingError, Malformed, "challenge"},
		{"rpId of others", get.with("rpId", "example.net"), SecurityError, RPIDRefused, ""},
		{"rpId empty", get.with("rpId", ""), SecurityError, RPIDRefused, ""},
		{"rpId null", get.with("rpId", null), TypeError, Malformed, "rpId"},
		{"allow a string", get.with("allowCredentials", "AQ"), TypeError, Malformed, "allowCredentials"},
		{"an empty ID", get.with("allowCredentials", []any{fields{"type": "public-key", "id": ""}}), TypeError, Malformed, "allowCredentials[0].id"},
		{"no known type", get.with("allowCredentials", []any{fields{"type": "x", "id": "AQ"}}), NotSupportedError, Unsupported, "allowCredentials"},
		{"UV a number", get.with("userVerification", 1), TypeError, Malformed, "userVerification"},
	} {
		t.Run(row.what, func(t *testing.T) {
			_, err := ParseRequest(row.options.json(t), org, orgs)
			wantError(t, err, row.name, row.kind, row.field)
		})
	}
	_, err := ParseRequest(get.json(t), org, nil)
	wantError(t, err, SecurityError, NotListed, "")
}

// TestLastMemberCounts is what JSON.parse of JavaScript does.
func TestLastMemberCounts(t *testing.T) {
	t.Parallel()
	r, err := ParseRequest([]byte(`{"challenge":"AA","userVerification":"required","challenge":"AQ"}`), org, orgs)
	if err != nil || !strings.Contains(string(r.ClientData), `"challenge":"AQ"`) {
		t.Errorf("%s, %v", r.ClientData, err)
	}
}

func seed(f *testing.F, options ...fields) {
	f.Helper()
	for _, o := range options {
		f.Add(o.json(f))
	}
	for _, s := range []string{"", "null", "{}", `{"challenge":"AQ"`, `{"challenge":"AQ","challenge":1}`} {
		f.Add([]byte(s))
	}
}

func FuzzParseCreation(f *testing.F) {
	seed(f, create, create.with("extensions", fields{"credProps": true, "credentialProtectionPolicy": "userVerificationRequired"}),
		create.with("excludeCredentials", []any{fields{"type": "public-key", "id": "AQ", "transports": []any{"usb"}}}),
		create.with("authenticatorSelection", fields{"residentKey": "required", "userVerification": "required"}))
	f.Fuzz(func(t *testing.T, options []byte) {
		c, err := ParseCreation(options, org, orgs)
		if err != nil {
			if c != nil || fmt.Sprint(err) == "" {
				t.Errorf("%+v with %v", c, err)
			}
			return
		}
		if c.RPID != "example.org" || len(c.UserID) < 1 || len(c.UserID) > 64 || len(c.Algorithms) == 0 ||
			c.UV == "" || c.ResidentKey == "" || c.Attestation == "" || c.CredProtect < 0 || c.CredProtect > 3 || !json.Valid(c.ClientData) {
			t.Errorf("%s parsed as %+v", options, c)
		}
	})
}

func FuzzParseRequest(f *testing.F) {
	seed(f, get, get.with("allowCredentials", []any{fields{"type": "public-key", "id": "AQ"}}), get.with("rpId", "example.org"))
	f.Fuzz(func(t *testing.T, options []byte) {
		r, err := ParseRequest(options, org, orgs)
		if err != nil {
			return
		}
		if r.RPID != "example.org" || r.UV == "" || !json.Valid(r.ClientData) {
			t.Errorf("%s parsed as %+v", options, r)
		}
	})
}
