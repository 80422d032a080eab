package cis2_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"authbridge/agent/cis2"
)

func TestIssuersAreComparedByteForByte(t *testing.T) {
	t.Parallel()
	const want = "https://am.nhsint.auth-ptl.cis2.spineservices.nhs.uk:443/openam/oauth2/realms/root/realms/NHSIdentity/realms/Healthcare"
	if env, ok := cis2.FindEnvironment("int"); !ok || env.Issuer != want || !env.SignIn {
		t.Errorf("INT is %+v", env)
	}
	if env, ok := cis2.FindEnvironment("prod"); !ok || env.SignIn {
		t.Errorf("a sign-in would be driven in live use: %+v", env)
	}
	for _, row := range []struct{ got, says string }{
		{want, ""},
		{"", "missing"},
		{strings.Replace(want, ":443", "", 1), "port :443 is missing"},
		{want + "/", "slash"},
		{strings.ToUpper(want), "case"},
		{strings.Replace(want, "nhsint", "nhsdev", 1), "octet 14"},
	} {
		if says := cis2.IssuerDifference(want, row.got); !strings.Contains(says, row.says) || (says == "") != (row.says == "") {
			t.Errorf("%s: %q, not %q", row.got, says, row.says)
		}
	}
	if says := cis2.IssuerDifference("https://a/x", "https://a:443/x"); !strings.Contains(says, "too much") {
		t.Error(says)
	}
}

func TestConfiguredEnvironments(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, issuer string
		ok           bool
	}{
		{"dep", "https://am.example.nhs.uk:443" + cis2.RealmPath, true},
		{"mine", "http://localhost:9000/x", true},
		{"mine", "http://127.0.0.1:9000/x", true},
		{"mine", "http://example.org/x", false},
		{"mine", "https://a/x?y", false},
		{"mine", "https://a/x#y", false},
		{"mine", "https://u@a/x", false},
		{"mine", "a/x", false},
		{"int", "https://am.nhsint.auth-ptl.cis2.spineservices.nhs.uk" + cis2.RealmPath, false},
		{"int", "https://am.nhsint.auth-ptl.cis2.spineservices.nhs.uk:443" + cis2.RealmPath, true},
	} {
		env, err := cis2.Configured(row.name, row.issuer)
		if (err == nil) != row.ok {
			t.Errorf("%s %s: %v", row.name, row.issuer, err)
		}
		if err == nil && env.Endpoints().Token != row.issuer+"/access_token" {
			t.Errorf("%s: %+v", row.name, env.Endpoints())
		}
	}
}

func TestWhatSatisfiesAnACR(t *testing.T) {
	t.Parallel()
	aal3 := []cis2.Authenticator{"smartcard", "security-key", "platform", "ios"}
	aal2 := []cis2.Authenticator{"passkey", "totp", "nhsmail"}
	table := cis2.DefaultACRs()
	for value, want := range map[string][]cis2.Authenticator{
		"":                    aal3,
		"AAL3_ANY":            aal3,
		"AAL2_OR_AAL3_ANY":    slices.Concat(aal3, aal2),
		"AAL2_ANY":            slices.Concat(aal3, aal2),
		"AAL1_USERPASS":       {"user-name"},
		"AAL3_IOS":            {"ios"},
		"AAL3_FIDO2":          {"security-key", "platform"},
		"AAL3_SMARTCARD":      {"smartcard"},
		"AAL3_N3_SMARTCARD":   {"smartcard"},
		"AAL3_CIS2_SMARTCARD": {"smartcard"},
		"AAL2_TOTP":           {"totp"},
		"AAL2_NHSMAIL":        {"nhsmail"},
		"AAL2_TOTP AAL3_FIDO2": {
			"security-key", "platform", "totp",
		},
		"AAL4_ANY": nil,
	} {
		known, unknown := table.Parse(value)
		if got := known.Admitted(); !slices.Equal(got, want) {
			t.Errorf("%q admits %v, not %v", value, got, want)
		}
		if (len(unknown) > 0) != (value == "AAL4_ANY") {
			t.Errorf("%q: not known are %v", value, unknown)
		}
	}
	asked, _ := table.Parse("AAL3_FIDO2 AAL2_OR_AAL3_ANY")
	for with, want := range map[cis2.Authenticator]string{
		"security-key": "AAL3_FIDO2", "smartcard": "AAL2_OR_AAL3_ANY", "totp": "AAL2_OR_AAL3_ANY", "user-name": "", "pigeon": "",
	} {
		if got, _ := asked.Satisfied(with); got.Value != want {
			t.Errorf("%s satisfies %q, not %q", with, got.Value, want)
		}
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	table := cis2.DefaultAMRs()
	for _, row := range []struct {
		with cis2.Authenticator
		acr  string
		want string
		sure cis2.Sure
	}{
		{"smartcard", "AAL3_ANY", "N3_SMARTCARD", cis2.Verified},
		{"smartcard", "AAL3_CIS2_SMARTCARD", "CIS2_SMARTCARD", cis2.Inferred},
		{"security-key", "AAL3_ANY", "FIDO2", cis2.Inferred},
		{"totp", "", "TOTP", cis2.Inferred},
		{"passkey", "", "PASSKEY", cis2.Guessed},
		{"pigeon", "", "", ""},
	} {
		if got, _ := table.Of(row.with, row.acr); got.Value != row.want || got.Sure != row.sure {
			t.Errorf("%s at %s: %+v", row.with, row.acr, got)
		}
	}
	for _, row := range []struct {
		with  cis2.Authenticator
		value string
		fits  bool
		sure  cis2.Sure
	}{
		{"smartcard", "N3_SMARTCARD", true, cis2.Verified},
		{"smartcard", "CIS2_SMARTCARD", true, cis2.Inferred},
		{"smartcard", "FIDO2", false, cis2.Verified},
		{"security-key", "N3_SMARTCARD", false, cis2.Inferred},
		{"pigeon", "FIDO2", false, ""},
	} {
		if fits, sure := table.Fits(row.with, row.value); fits != row.fits || sure != row.sure {
			t.Errorf("%s as %s: %v, %s", row.with, row.value, fits, sure)
		}
	}
}

func TestUUIDs(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ environment, uuid, says string }{
		{"int", "555250000001", ""},
		{"int", "555340000001", ""},
		{"int", "999999999999", "usually"},
		{"int", "656005750101", "like one of mock"},
		{"int", "55525000000", "12 digits"},
		{"int", "55525000000x", "12 digits"},
		{"mock", "656005750108", ""},
		{"mock", "123456789012", "usually"},
		{"dep", "123456789012", ""},
		{"prod", "123456789012", ""},
		{"prod", "555250000001", "per environment"},
	} {
		says := cis2.UserRemark(row.environment, row.uuid)
		if (says == "") != (row.says == "") || !strings.Contains(says, row.says) {
			t.Errorf("%s at %s: %q", row.uuid, row.environment, says)
		}
	}
	for name, want := range map[string]string{
		"555250000001_Bloggs_Jo": "555250000001", "555250000001": "", "5552_Bloggs_Jo": "", "x55250000001_B_J": "", "": "",
	} {
		if got, ok := cis2.UserOf(name); got != want || ok != (want != "") {
			t.Errorf("%q: %q", name, got)
		}
	}
}

func TestLevelsAreTextOrNumber(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]*cis2.Level{
		`3`: {Value: 3, Number: true}, `"3"`: {Value: 3}, `"0"`: {}, `0`: {Number: true},
		`"AAL3"`: nil, `3.0`: nil, `"33"`: nil, `4`: nil, `-1`: nil, `""`: nil, `[3]`: nil, `true`: nil,
	} {
		var got cis2.Level
		err := json.Unmarshal([]byte(text), &got)
		if (err == nil) != (want != nil) || want != nil && got != *want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
		if want != nil {
			if again, _ := json.Marshal(got); string(again) != text {
				t.Errorf("%s is written %s", text, again)
			}
		}
	}
}

func TestIDTokenClaims(t *testing.T) {
	t.Parallel()
	token, err := cis2.ParseIDToken([]byte(`{"iss":"i","sub":"656005750108","aud":["a","b"],"exp":2,"iat":1,"auth_time":1,
		"acr":"AAL3_ANY","amr":["FIDO2"],"authentication_assurance_level":3,"id_assurance_level":"3"}`))
	if err != nil || token.AuthLevel == nil || !token.AuthLevel.Number || token.IdentityLevel == nil || token.IdentityLevel.Number ||
		!slices.Equal(token.Audience, cis2.Audience{"a", "b"}) {
		t.Errorf("%+v, %v", token, err)
	}
	if token, err = cis2.ParseIDToken([]byte(`{"aud":"a"}`)); err != nil || token.AuthLevel != nil || token.ACR != "" {
		t.Errorf("what is not there is taken as %+v, %v", token, err)
	}
	if _, err = cis2.ParseIDToken([]byte(`{"aud":1}`)); err == nil {
		t.Error("a number is an audience")
	}
	info, err := cis2.ParseUserinfo([]byte(`{"sub":"1","nhsid_nrbac_roles":[{"person_roleid":"2","role_code":"S8000:G8000:R8001"}],"idassurancelevel":"3"}`))
	if err != nil || len(info.Roles) != 1 || info.Roles[0].Job() != "R8001" || info.Identity.Value != 3 {
		t.Errorf("%+v, %v", info, err)
	}
}

// TestClaimsAreReadToTheLetter: an application that does so finds no acr in a token
// with ACR, and one of two levels is not to be chosen.
func TestClaimsAreReadToTheLetter(t *testing.T) {
	t.Parallel()
	token, err := cis2.ParseIDToken([]byte(`{"ACR":"AAL3_ANY","i\u017fs":"i","Authentication_Assurance_Level":"3","other":{"Sub":1}}`))
	if err != nil || !reflect.DeepEqual(token, cis2.IDToken{}) {
		t.Errorf("%+v, %v", token, err)
	}
	for _, text := range []string{`{"sub":"1","sub":"2"}`, `{"acr":"a","\u0061cr":"b"}`, `{"sub":"1"} {}`} {
		if _, err := cis2.ParseIDToken([]byte(text)); err == nil {
			t.Errorf("%s is an ID token", text)
		}
		if _, err := cis2.ParseUserinfo([]byte(text)); err == nil && !strings.Contains(text, "acr") {
			t.Errorf("%s is userinfo", text)
		}
	}
	if _, err := cis2.ParseUserinfo([]byte(`{"nhsid_nrbac_roles":[{"role_code":"a","role_code":"b"}]}`)); err == nil {
		t.Error("a role has two codes")
	}
}

func TestScopes(t *testing.T) {
	t.Parallel()
	known, unknown := cis2.ParseScopes("openid  profile openid oidc oidc")
	if !slices.Equal(known, []string{"openid", "profile"}) || !slices.Equal(unknown, []string{"oidc"}) {
		t.Errorf("%v, %v", known, unknown)
	}
	// Every claim named is one of those that are parsed.
	fields := map[string]bool{}
	for _, typ := range []reflect.Type{reflect.TypeFor[cis2.Userinfo](), reflect.TypeFor[cis2.IDToken]()} {
		for i := range typ.NumField() {
			name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			fields[name] = true
		}
	}
	for _, scope := range cis2.Scopes() {
		for _, claim := range slices.Concat(scope.IDToken, scope.Userinfo) {
			if !fields[claim] {
				t.Errorf("%s brings %s, which nobody parses", scope.Name, claim)
			}
		}
	}
}

// TestEveryRowSaysWhereItComesFrom holds that nothing is in a table because
// somebody thought so.
func TestEveryRowSaysWhereItComesFrom(t *testing.T) {
	t.Parallel()
	row := func(name string, sure cis2.Sure, sources ...cis2.Source) {
		if sure == "" || len(sources) == 0 || slices.Contains(sources, "") {
			t.Errorf("%s: %q by %v", name, sure, sources)
		}
	}
	for _, r := range cis2.Environments() {
		row(r.Name, r.Sure, r.Sources...)
	}
	for _, r := range cis2.DefaultACRs() {
		row(r.Value, r.Sure, r.Source)
	}
	for _, r := range cis2.DefaultAMRs() {
		row(r.Value, r.Sure, r.Sources...)
	}
	for _, r := range cis2.Reaches() {
		row(string(r.Authenticator), r.Sure, r.Source)
	}
	for _, r := range cis2.Scopes() {
		row(r.Name, r.Sure, r.Source)
	}
	for _, r := range cis2.UserPrefixes() {
		row(r.Prefix, r.Sure, r.Source)
	}
	for _, r := range cis2.MockUsers() {
		row(r.UUID, r.Sure, r.Source)
	}
}

func TestMockUsers(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, u := range cis2.MockUsers() {
		if !cis2.ValidUser(u.UUID) || seen[u.UUID] || u.AAL < 1 || u.AAL > 3 || len(u.Roles) == 0 {
			t.Errorf("%+v", u)
		}
		seen[u.UUID] = true
		for _, r := range u.Roles {
			if !cis2.ValidUser(r.OrgID) || !cis2.ValidUser(r.RoleID) || seen[r.RoleID] || strings.Count(r.Code, ":") != 2 || strings.Count(r.Name, `"`) != 6 {
				t.Errorf("%s: %+v", u.UUID, r)
			}
			seen[r.RoleID] = true
		}
	}
}

func TestRegistrations(t *testing.T) {
	t.Parallel()
	good := cis2.Registration{
		Environment: "int", ClientID: "123456789012.apps.national", Redirects: []string{"https://app.example.nhs.uk/callback"},
		BackChannelLogout: "https://app.example.nhs.uk/logout", Pattern: cis2.PrivateKeyJWT, SigningAlgorithm: "RS512",
		JWKSURI: "https://app.example.nhs.uk/jwks", Scopes: []string{"openid", "profile"},
	}
	if got := good.Problems(); len(got) > 0 {
		t.Fatal(got)
	}
	for name, row := range map[string]struct {
		change func(*cis2.Registration)
		field  string
	}{
		"another client id":            {func(r *cis2.Registration) { r.ClientID = "app" }, "client_id"},
		"no client id":                 {func(r *cis2.Registration) { r.ClientID = "" }, "client_id"},
		"no redirect":                  {func(r *cis2.Registration) { r.Redirects = nil }, "redirects"},
		"http":                         {func(r *cis2.Registration) { r.Redirects = []string{"http://localhost:3000/cb"} }, "redirects"},
		"a fragment":                   {func(r *cis2.Registration) { r.Redirects = []string{"https://a/#x"} }, "redirects"},
		"a wildcard":                   {func(r *cis2.Registration) { r.Redirects = []string{"https://*.a/cb"} }, "redirects"},
		"a relative redirect":          {func(r *cis2.Registration) { r.Redirects = []string{"/cb"} }, "redirects"},
		"a logout endpoint at home":    {func(r *cis2.Registration) { r.BackChannelLogout = "https://localhost/x" }, "back_channel_logout"},
		"a logout endpoint in clear":   {func(r *cis2.Registration) { r.BackChannelLogout = "http://a.example/x" }, "back_channel_logout"},
		"no pattern":                   {func(r *cis2.Registration) { r.Pattern = "" }, "pattern"},
		"a secret in the header":       {func(r *cis2.Registration) { r.Pattern = "client_secret_basic" }, "pattern"},
		"ES256":                        {func(r *cis2.Registration) { r.SigningAlgorithm = "ES256" }, "signing_algorithm"},
		"userinfo without a signature": {func(r *cis2.Registration) { r.SignedUserinfo = "none" }, "signed_userinfo"},
		"no keys":                      {func(r *cis2.Registration) { r.JWKSURI = "" }, "jwks_uri"},
		"keys at home":                 {func(r *cis2.Registration) { r.JWKSURI = "https://127.0.0.1/jwks" }, "jwks_uri"},
		"keys nowhere":                 {func(r *cis2.Registration) { r.JWKSURI = "jwks" }, "jwks_uri"},
		"an unknown scope":             {func(r *cis2.Registration) { r.Scopes = []string{"openid", "oidc"} }, "scopes"},
		"no openid":                    {func(r *cis2.Registration) { r.Scopes = []string{"profile"} }, "scopes"},
		"a page after logout":          {func(r *cis2.Registration) { r.AfterLogout = []string{"x"} }, "after_logout"},
		"a script after logout":        {func(r *cis2.Registration) { r.AfterLogout = []string{"javascript://a/%0aalert(1)"} }, "after_logout"},
	} {
		changed := good
		row.change(&changed)
		if got := changed.Problems(); len(got) != 1 || got[0].Field != row.field || got[0].Source == "" {
			t.Errorf("%s: %v", name, got)
		}
	}
	native := good
	native.Native, native.Redirects = true, []string{"http://127.0.0.1:3000/cb"}
	mock := good
	mock.Environment, mock.ClientID, mock.Redirects, mock.JWKSURI, mock.JWKS = "mock", "app", []string{"http://localhost:3000/cb"}, "", []byte("{}")
	for _, r := range []cis2.Registration{native, mock} {
		if got := r.Problems(); len(got) > 0 {
			t.Errorf("%+v: %v", r, got)
		}
	}
}

func FuzzLevel(f *testing.F) {
	f.Add([]byte(`"3"`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var l cis2.Level
		if json.Unmarshal(data, &l) == nil && (l.Value < 0 || l.Value > 3) {
			t.Errorf("%s is %d", data, l.Value)
		}
	})
}
