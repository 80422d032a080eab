package mockcis2

import (
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"authbridge/agent/cis2"
)

var start = time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)

func TestShelvesAreBounded(t *testing.T) {
	t.Parallel()
	s := newShelf[int](3)
	for i := range 10 {
		s.put(strconv.Itoa(i), i, start, start.Add(time.Duration(i+1)*time.Minute))
	}
	if len(s.all) != 3 {
		t.Fatalf("%d", len(s.all))
	}
	if _, ok := s.get("9", start); !ok {
		t.Error("the newest is gone")
	}
	if _, ok := s.get("6", start); ok {
		t.Error("the one that would go first is there")
	}
	// What must not be forgotten is not pushed out.
	if s.add("x", 1, start, start.Add(time.Hour)) {
		t.Error("a full shelf takes more")
	}
	later := start.Add(9 * time.Minute)
	if !s.add("x", 1, later, later.Add(time.Hour)) || s.add("x", 1, later, later.Add(time.Hour)) {
		t.Error("room is not found, or one comes twice")
	}
	if len(s.all) != 2 {
		t.Errorf("what has expired is still there: %v", s.all)
	}
	if _, ok := s.take("x", later.Add(time.Hour)); ok {
		t.Error("what has expired is given out")
	}
}

func TestABookIsBounded(t *testing.T) {
	t.Parallel()
	s, err := New(Config{Base: "http://localhost:9000", Key: testKey(), Now: func() time.Time { return start }})
	if err != nil {
		t.Fatal(err)
	}
	request := authorizeRequest{client: "a", acrs: cis2.DefaultACRs()[:1]}
	sess := &session{clients: map[string]bool{}, auth: authentication{with: cis2.Smartcard, at: start}}
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	for i := range mostCodes + 100 {
		l := s.newLogin(&Client{}, request, "b", start)
		l.auth = &sess.auth
		s.book.logins.put(l.id, l, start, l.until)
		s.book.refer(l, start)
		s.book.open(l, "", start)
		s.book.issue(request, sess, sess.auth, start)
		s.book.failed("user "+strconv.Itoa(i), time.Hour, start)
	}
	for name, row := range map[string][2]int{
		"logins": {len(s.book.logins.all), mostLogins}, "references": {len(s.book.references.all), mostLogins},
		"sessions": {len(s.book.sessions.all), mostSessions}, "codes": {len(s.book.codes.all), mostCodes}, "tries": {len(s.book.tries.all), mostTries},
	} {
		if row[0] != row[1] {
			t.Errorf("%d %s, not %d", row[0], name, row[1])
		}
	}
}

func TestEscaping(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	el("p", attr("title", `a"b'c<d>e&f`), text("<script>\x00\x1b\u00e9\n"), when(false, flag("hidden")), nodes{nil, text("&amp;")}).write(&b)
	const want = "<p title=\"a&#34;b&#39;c&lt;d&gt;e&amp;f\">&lt;script&gt;\uFFFD\uFFFD\u00e9\n&amp;amp;</p>"
	if b.String() != want {
		t.Errorf("%q", b.String())
	}
}

func TestTOTPSteps(t *testing.T) {
	t.Parallel()
	// RFC 6238, appendix B, of which six digits are shown.
	secret := []byte("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")
	for at, code := range map[int64]string{59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037"} {
		step, ok := totpStep(secret, code, 0, time.Unix(at, 0))
		if !ok || step != uint64(at)/30 {
			t.Errorf("%d: %d, %v", at, step, ok)
		}
		if _, ok := totpStep(secret, code, step, time.Unix(at, 0)); ok {
			t.Errorf("%d: a step twice", at)
		}
	}
	if _, ok := totpStep(nil, "287082", 0, start); ok {
		t.Error("no secret has codes")
	}
}

func FuzzAuthorize(f *testing.F) {
	f.Add("response_type=code&client_id=a&redirect_uri=http%3A%2F%2Flocalhost%2F&scope=openid&state=s&nonce=n&max_age=5&prompt=none")
	f.Add("response_type=code&scope=openid&acr_values=AAL2_TOTP+AAL3_ANY&code_challenge=" + strings.Repeat("a", 43) + "&code_challenge_method=S256")
	f.Add("scope=openid&scope=openid&state=%00")
	client := &Client{Registration: cis2.Registration{ClientID: "a"}}
	table := cis2.DefaultACRs()
	f.Fuzz(func(t *testing.T, query string) {
		values, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		values.Set("redirect_uri", "http://localhost:3000/cb?x=y") // a registered one, or nothing is parsed
		r, refused := parseAuthorize(values, client, table)
		for _, s := range []string{r.state, r.nonce, r.hint, r.challenge} {
			if refused == nil && !printable(s) || strings.ContainsAny(r.state, "\x00\r\n") {
				t.Errorf("%q goes through", s)
			}
		}
		if refused != nil {
			if refused.Code == "" || !printable(refused.Description) || strings.ContainsAny(refused.Description, `"\`) {
				t.Errorf("%+v", refused)
			}
			return
		}
		if !r.asks("openid") || len(offered(r.acrs)) == 0 || r.challenge != "" && len(r.challenge) != challengeLength {
			t.Errorf("%+v", r)
		}
		back := backTo(r, nil, "c")
		if _, err := url.Parse(back); err != nil || strings.ContainsAny(back, "\r\n") {
			t.Errorf("%q: %v", back, err)
		}
	})
}

func FuzzToken(f *testing.F) {
	f.Add("grant_type=authorization_code&code=c&redirect_uri=r&client_id=a&client_secret=s", "")
	f.Add("grant_type=authorization_code&code=c&client_assertion=x.y.z&client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "")
	f.Add("code_verifier="+strings.Repeat("~", 43), "Basic YTpi")
	f.Fuzz(func(t *testing.T, body, authorization string) {
		values, err := url.ParseQuery(body)
		if err != nil {
			return
		}
		if r, refused := parseToken(values); refused == nil && (r.code == "" || r.verifier != "" && len(r.verifier) < leastVerifier) {
			t.Errorf("%+v", r)
		}
		p, refused := readClientProof(map[string][]string{"Authorization": {authorization}}, values)
		if refused == nil && p.method == "" {
			t.Errorf("%+v", p)
		}
	})
}

// FuzzProof holds that no octets panic and none but a card's are a proof.
func FuzzProof(f *testing.F) {
	f.Add([]byte{0x30, 0x03}, []byte("x"), []byte("y"), "SHA-256")
	s, err := New(Config{Base: "http://localhost:9000", Key: testKey(), Now: func() time.Time { return start }})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, certificate, signature, signed []byte, hash string) {
		p := Proof{Certificate: certificate, Signature: signature, Signed: signed, Hash: hash}
		if checkProof(p, []byte("data"), "mock", "656005750108", s.verifyOptions(start)) == nil {
			t.Error("a proof without an authority")
		}
	})
}

// TestNoRootsAreNotTheSystems holds that a server without an authority trusts no
// card, not those of the machine's web authorities.
func TestNoRootsAreNotTheSystems(t *testing.T) {
	t.Parallel()
	s, err := New(Config{Base: "http://localhost:9000", Key: testKey()})
	if err != nil {
		t.Fatal(err)
	}
	if s.verifyOptions(start).Roots == nil {
		t.Error("nil roots are the system's")
	}
}
