package login

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"authbridge/agent/cis2"
	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// Tokens are what a login brought.
type Tokens struct {
	IDToken     []byte
	AccessToken []byte          // empty: not known
	Userinfo    json.RawMessage // JSON, or a signed one; nil: not known
}

func (t *Tokens) wipe() {
	clear(t.IDToken)
	clear(t.AccessToken)
}

// Expectation is what tokens are held to.
type Expectation struct {
	Issuer   string
	ClientID string
	Nonce    string
	// WantsNonce is false where it is not known which nonce was asked with.
	WantsNonce bool
	Keys       jose.JSONWebKeySet
	// ACRs are those asked for, most wanted first; Known is the whole table.
	ACRs, Known cis2.ACRs
	AMRs        cis2.AMRs
	AAL         int
	// With is the authenticator that was really used; empty: not known.
	With cis2.Authenticator
	// User is who must have signed in, CardUser whom the card that was used is
	// of; empty: not known.
	User, CardUser string
	// Scopes are those asked for; nil: not known.
	Scopes []string
	Now    time.Time
	// MaxAge is how old the sign-in may be. Since is when it was asked for: no
	// sign-in from before will do. Zero: any within MaxAge.
	MaxAge time.Duration
	Since  time.Time
	// Ahead is the service's clock, as its answers show it.
	Ahead time.Duration
}

// leastIdentity is the identity level that users must have (MAVIS and others).
const leastIdentity = 3

// leeway is how far clocks may be apart.
const leeway = 30 * time.Second

// assertions are the names of all, in their order.
var assertions = []string{
	"signature", "claims", "issuer", "audience", "authorised-party", "nonce", "expiry", "issued-at", "auth-time", "at-hash",
	"authentication-level", "identity-level", "acr", "amr", "subject", "subject-card", "subject-userinfo", "roles",
}

// algorithms are those that CIS2 signs with.
var algorithms = []jose.SignatureAlgorithm{jose.RS256, jose.RS512}

// Assert is the strict relying party: every assertion of DESIGN 7 as a step.
// Nothing is assumed in the place of a claim that is missing.
func Assert(t Tokens, want Expectation) []contract.LoginStep {
	j := &judgement{want: want}
	claims, ok := j.signature(t.IDToken)
	if ok {
		ok = j.readClaims(claims)
	}
	if !ok {
		return append(j.steps, skipped(assertions[len(j.steps):])...)
	}
	j.parties()
	j.times()
	j.atHash(t.AccessToken)
	j.levels()
	j.methods()
	user, known := j.userinfo(t.Userinfo)
	j.subjects()
	j.subjectOfUserinfo(user, known, len(t.Userinfo) > 0)
	j.roles(user, known)
	return j.steps
}

func skipped(names []string) []contract.LoginStep {
	steps := make([]contract.LoginStep, len(names))
	for i, name := range names {
		steps[i] = contract.LoginStep{Name: name, State: contract.StepSkipped, Got: "there are no claims to judge"}
	}
	return steps
}

// judgement is the tokens of one login being judged.
type judgement struct {
	want      Expectation
	algorithm jose.SignatureAlgorithm
	token     cis2.IDToken
	userError string
	steps     []contract.LoginStep
}

// hold records an assertion; wrong is empty where it holds.
func (j *judgement) hold(name string, code failure.Code, expected, got, wrong string) {
	s := contract.LoginStep{Name: name, State: contract.StepPass, Expected: expected, Got: printable(got)}
	if wrong != "" {
		entry, _ := failure.Lookup(code)
		s.State, s.Code, s.Remedy, s.Evidence = contract.StepFail, string(code), entry.Remedy, wrong
	}
	j.steps = append(j.steps, s)
}

func (j *judgement) skip(name, why string) {
	j.steps = append(j.steps, contract.LoginStep{Name: name, State: contract.StepSkipped, Got: why})
}

// remark adds to the last step what is no ground to fail.
func (j *judgement) remark(text string) {
	last := &j.steps[len(j.steps)-1]
	last.Evidence = join(last.Evidence, text)
}

// signature verifies the ID token (RFC 7515, 5.2). The claims of one whose
// signature is wrong are judged too, to show what else is: the login has failed
// all the same.
func (j *judgement) signature(token []byte) (claims []byte, ok bool) {
	const name, expected = "signature", "RS256 or RS512, by a key that the issuer publishes"
	signed, err := jose.ParseSignedCompact(string(token), algorithms)
	if err != nil {
		j.hold(name, failure.TokSIG, expected, "a token that is none, or of another algorithm", "it cannot be read as a token of one of these algorithms")
		return unsafeClaims(token)
	}
	header := signed.Signatures[0].Header
	j.algorithm = jose.SignatureAlgorithm(header.Algorithm)
	got := header.Algorithm + ", key " + header.KeyID
	keys := j.want.Keys.Keys
	if header.KeyID != "" {
		keys = j.want.Keys.Key(header.KeyID)
	}
	if header.KeyID == "" && len(keys) > 1 {
		keys = nil
	}
	if len(keys) == 0 {
		j.hold(name, failure.TokSIG, expected, got, "the issuer publishes no key of that id")
		return signed.UnsafePayloadWithoutVerification(), true
	}
	for i := range keys {
		if payload, err := signed.Verify(keys[i].Public()); err == nil {
			j.hold(name, failure.TokSIG, expected, got, "")
			return payload, true
		}
	}
	j.hold(name, failure.TokSIG, expected, got, "the signature is not that of the key")
	return signed.UnsafePayloadWithoutVerification(), true
}

// unsafeClaims are the claims of a token that is of no algorithm admitted.
func unsafeClaims(token []byte) ([]byte, bool) {
	parts := strings.Split(string(token), ".")
	if len(parts) != 3 {
		return nil, false
	}
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	return claims, err == nil && json.Valid(claims)
}

// keyIDOf is the id of the key that a token names.
func keyIDOf(token []byte) string {
	signed, err := jose.ParseSignedCompact(string(token), algorithms)
	if err != nil {
		return ""
	}
	return signed.Signatures[0].Header.KeyID
}

func (j *judgement) readClaims(claims []byte) bool {
	var err error
	j.token, err = cis2.ParseIDToken(claims)
	wrong := ""
	if err != nil {
		wrong = "a claim has another type than CIS2 gives it"
	}
	j.hold("claims", failure.LoginAnswer, "claims of the types that CIS2 writes", "an ID token", wrong)
	return err == nil
}

// parties are issuer, audience, authorised party and nonce (OpenID Connect Core
// 1.0, 3.1.3.7, steps 2 to 5 and 11).
func (j *judgement) parties() {
	t, want := &j.token, &j.want
	j.hold("issuer", failure.TokISS, want.Issuer, t.Issuer, cis2.IssuerDifference(want.Issuer, t.Issuer))

	wrong := ""
	switch {
	case !slices.Contains(t.Audience, want.ClientID):
		wrong = "it is not for this client"
	case len(t.Audience) > 1 && t.AuthorisedParty == "":
		wrong = "it is for several, and names no authorised party"
	}
	j.hold("audience", failure.TokAUD, want.ClientID, strings.Join(t.Audience, ", "), wrong)

	switch {
	case t.AuthorisedParty == "":
		j.skip("authorised-party", "the token names none")
	case t.AuthorisedParty != want.ClientID:
		j.hold("authorised-party", failure.TokAUD, want.ClientID, t.AuthorisedParty, "it was given out to another client")
	default:
		j.hold("authorised-party", failure.TokAUD, want.ClientID, t.AuthorisedParty, "")
	}

	switch {
	case !want.WantsNonce:
		j.skip("nonce", "it is not known which one was asked with")
	case t.Nonce == want.Nonce:
		j.hold("nonce", failure.LoginState, "that of the request", "that of the request", "")
	case t.Nonce == "":
		j.hold("nonce", failure.LoginState, "that of the request", "none", "it is missing")
	default:
		j.hold("nonce", failure.LoginState, "that of the request", "another", "the token answers another request")
	}
}

// times are expiry, time of issue and of the sign-in (steps 9, 10 and 13).
func (j *judgement) times() {
	t, want := &j.token, &j.want
	now := want.Now
	skew := clockRemark(want.Ahead)
	expiry, issued, signedIn := time.Unix(t.Expiry, 0), time.Unix(t.IssuedAt, 0), time.Unix(t.AuthTime, 0)

	wrong := ""
	if !now.Before(expiry.Add(leeway)) {
		wrong = join("it has expired", skew)
	}
	j.hold("expiry", failure.TokFresh, "after "+stamp(now), stamp(expiry), wrong)

	wrong = ""
	switch {
	case t.IssuedAt == 0:
		wrong = "it is missing"
	case issued.After(now.Add(leeway)):
		wrong = join("it is to come", skew)
	case !want.Since.IsZero() && issued.Before(whole(want.Since).Add(-leeway)):
		wrong = join("it is from before the login", skew)
	}
	j.hold("issued-at", failure.TokFresh, "now", stamp(issued), wrong)

	wrong = ""
	expected := "within " + want.MaxAge.String()
	if !want.Since.IsZero() {
		expected += ", and not before the login began at " + stamp(want.Since)
	}
	switch {
	case t.AuthTime == 0:
		wrong = "it is missing"
	case signedIn.After(now.Add(leeway)):
		wrong = join("it is to come", skew)
	case now.Sub(signedIn) > want.MaxAge+leeway:
		wrong = join("the sign-in is older than may be", skew)
	case !want.Since.IsZero() && signedIn.Before(whole(want.Since).Add(-leeway)):
		wrong = join("an older session was used again", skew)
	}
	j.hold("auth-time", failure.TokFresh, expected, stamp(signedIn), wrong)
}

// whole drops what a token's times do not have.
func whole(t time.Time) time.Time { return t.Truncate(time.Second) }

func stamp(t time.Time) string {
	if t.Unix() == 0 {
		return "none"
	}
	return t.UTC().Format(time.RFC3339)
}

// atHash binds the access token (OpenID Connect Core 1.0, 3.1.3.6).
func (j *judgement) atHash(accessToken []byte) {
	const name = "at-hash"
	got := j.token.AccessTokenHash
	switch {
	case len(accessToken) == 0:
		j.skip(name, "the access token is not known")
		return
	case got == "":
		j.skip(name, "the token has none")
		return
	}
	want := halfOf(j.algorithm, accessToken)
	wrong := ""
	if got != want {
		wrong = "the access token is not the one that the ID token came with"
	}
	j.hold(name, failure.TokSIG, "that of the access token", map[bool]string{true: "that of the access token", false: "another"}[wrong == ""], wrong)
}

func halfOf(algorithm jose.SignatureAlgorithm, token []byte) string {
	sum := sha256.Sum256(token)
	half := sum[:len(sum)/2]
	if algorithm == jose.RS512 {
		sum := sha512.Sum512(token)
		half = sum[:len(sum)/2]
	}
	return base64.RawURLEncoding.EncodeToString(half)
}

// levels are the two assurance levels, which come as text or as numbers.
func (j *judgement) levels() {
	level := func(name string, code failure.Code, l *cis2.Level, least int) {
		got, wrong := "none", "it is missing, and nothing is assumed in its place"
		if l != nil {
			got, wrong = fmt.Sprintf("%d, as text", l.Value), ""
			if l.Number {
				got = fmt.Sprintf("%d, as a number", l.Value)
			}
			if l.Value < least {
				wrong = "it is too low"
			}
		}
		j.hold(name, code, fmt.Sprintf("%d or more", least), got, wrong)
	}
	level("authentication-level", failure.TokAAL, j.token.AuthLevel, j.want.AAL)
	level("identity-level", failure.TokIAL, j.token.IdentityLevel, leastIdentity)
}

// methods are acr and amr against what was asked for and what was really used.
func (j *judgement) methods() {
	t, want := &j.token, &j.want
	known, isKnown := want.Known.Find(t.ACR)
	_, isAsked := want.ACRs.Find(t.ACR)
	wrong, remark := "", ""
	switch {
	case t.ACR == "":
		wrong = "it is missing, and none is assumed in its place"
	case isKnown && want.With != "" && !known.Admits(want.With):
		wrong = "a sign-in with a " + string(want.With) + " does not satisfy it"
	case isAsked:
	case isKnown && known.Lowest >= want.AAL:
		remark = "it is another than was asked for, of a level that will do"
	case isKnown:
		wrong = "it admits a lower level than was asked for"
	case strings.HasPrefix(t.ACR, fmt.Sprintf("AAL%d_", want.AAL)):
		remark = "it is not in the table of acr values"
	default:
		wrong = "it is not in the table of acr values, nor named like one of the level"
	}
	j.hold("acr", failure.TokACRAMR, strings.Join(want.ACRs.Values(), " or "), t.ACR, wrong)
	j.remark(remark)

	got := strings.Join(t.AMR, ", ")
	switch {
	case len(t.AMR) == 0:
		j.hold("amr", failure.TokACRAMR, "the method that was used", "none", "")
		j.remark("the token names no method")
		return
	case want.With == "":
		j.skip("amr", printable("it says "+got+"; which authenticator was used is not known"))
		return
	}
	row, _ := want.AMRs.Of(want.With, t.ACR)
	wrong, remark = "", ""
	sure := cis2.Sure("")
	fits := slices.ContainsFunc(t.AMR, func(v string) (ok bool) {
		ok, sure = want.AMRs.Fits(want.With, v)
		return ok
	})
	switch {
	case fits && sure != cis2.Verified:
		remark = "that it is called so is " + string(sure)
	case !fits && sure == cis2.Verified:
		wrong = "that is not what a " + string(want.With) + " is called"
	case !fits:
		remark = "it is called otherwise than in the table of methods, which is not sure of it"
	}
	j.hold("amr", failure.TokACRAMR, row.Value+" for a "+string(want.With), got, wrong)
	j.remark(remark)
}

// subjects are who signed in against who should, and against the card.
func (j *judgement) subjects() {
	t, want := &j.token, &j.want
	wrong, expected := "", "12 digits"
	switch {
	case !cis2.ValidUser(t.Subject):
		wrong = "it is no UUID of 12 digits"
	case want.User != "" && t.Subject != want.User:
		wrong = "another user has signed in"
	}
	if want.User != "" {
		expected = masked(want.User)
	}
	j.hold("subject", failure.TokSub, expected, masked(t.Subject), wrong)
	if want.CardUser == "" {
		j.skip("subject-card", "no card was used, or it does not say whose it is")
		return
	}
	wrong = ""
	if t.Subject != want.CardUser {
		wrong = "the card that was used is another user's"
	}
	j.hold("subject-card", failure.TokSub, masked(want.CardUser), masked(t.Subject), wrong)
}

// userinfo reads an answer, whose signature is verified where it has one.
func (j *judgement) userinfo(answer []byte) (user cis2.Userinfo, ok bool) {
	if len(answer) == 0 {
		return user, false
	}
	if answer[0] == '"' {
		var text string
		if json.Unmarshal(answer, &text) != nil {
			j.userError = "it cannot be read"
			return user, false
		}
		answer = []byte(text)
	}
	if len(answer) > 0 && answer[0] != '{' {
		payload, err := j.verified(answer)
		if err != nil {
			j.userError = "its signature is not that of a key of the issuer"
			return user, false
		}
		answer = payload
	}
	user, err := cis2.ParseUserinfo(answer)
	if err != nil {
		j.userError = "a claim has another type than CIS2 gives it"
		return user, false
	}
	return user, true
}

func (j *judgement) verified(token []byte) ([]byte, error) {
	signed, err := jose.ParseSignedCompact(strings.TrimSpace(string(token)), algorithms)
	if err != nil {
		return nil, err
	}
	return signed.Verify(j.want.Keys)
}

// subjectOfUserinfo holds userinfo to the ID token (OpenID Connect Core 1.0,
// 5.3.2).
func (j *judgement) subjectOfUserinfo(user cis2.Userinfo, known, there bool) {
	const name = "subject-userinfo"
	if !there {
		j.skip(name, "there is no userinfo")
		return
	}
	if !known {
		j.hold(name, failure.TokSub, "that of the ID token", "", j.userError)
		return
	}
	wrong := ""
	switch sub := j.token.Subject; {
	case user.Subject != sub:
		wrong = "userinfo is about another user"
	case user.UID != "" && user.UID != sub:
		wrong = "uid is another user's"
	case user.UserUID != "" && user.UserUID != sub:
		wrong = "nhsid_useruid is another user's"
	}
	j.hold(name, failure.TokSub, masked(j.token.Subject), masked(user.Subject), wrong)
}

// roles are those of the user, where they were asked for.
func (j *judgement) roles(user cis2.Userinfo, known bool) {
	const name = "roles"
	asks := func(scope string, there bool) bool {
		if j.want.Scopes == nil {
			return there
		}
		return slices.Contains(j.want.Scopes, scope)
	}
	selected := j.token.SelectedRole
	if selected == "" {
		selected = user.SelectedRole
	}
	wantsRoles, wantsSelected := asks("nationalrbacaccess", len(user.Roles) > 0), asks("selectedrole", selected != "")
	if !known || !wantsRoles && !wantsSelected {
		j.skip(name, "no roles were asked for, or there is no userinfo")
		return
	}
	codes := make([]string, len(user.Roles))
	for i := range user.Roles {
		codes[i] = user.Roles[i].Job() + " at " + user.Roles[i].OrgCode
	}
	got := join(codes...)
	wrong := ""
	switch {
	case wantsRoles && len(user.Roles) == 0:
		got, wrong = "none", "the user has no role"
	case wantsSelected && selected == "":
		wrong = "no role is selected, although it was asked for"
	case wantsRoles && selected != "" && !slices.ContainsFunc(user.Roles, func(r cis2.Role) bool { return r.RoleID == selected }):
		wrong = "the selected role is none of the user's"
	case user.SelectedRole != "" && user.SelectedRole != selected:
		wrong = "ID token and userinfo select different roles"
	}
	j.hold(name, failure.TokRole, "a role of the user", got, wrong)
}
