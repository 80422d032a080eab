package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"authbridge/agent/api/apitest"
	"authbridge/agent/client"
	"authbridge/agent/contract"
	"authbridge/agent/web"
)

// openPage asks for a page with that token.
func openPage(t *testing.T, s *apitest.Server, secret string) contract.NewPage {
	t.Helper()
	return decoded[contract.NewPage](t, call(t, s, secret, "POST", "/v1/pages", ""), 201)
}

// enterPage swaps the code.
func enterPage(t *testing.T, s *apitest.Server, code string) contract.PageSession {
	t.Helper()
	return decoded[contract.PageSession](t, call(t, s, code, "POST", "/v1/pages/session", ""), 201)
}

func decoded[T any](t *testing.T, got answer, status int) T {
	t.Helper()
	var v T
	if got.status != status {
		t.Fatalf("status %d, want %d: %s", got.status, status, got.body)
	}
	if err := json.Unmarshal([]byte(got.body), &v); err != nil {
		t.Fatalf("%v: %s", err, got.body)
	}
	return v
}

func pageState(t *testing.T, s *apitest.Server, secret, id, wait string) contract.PageState {
	t.Helper()
	return decoded[contract.Page](t, call(t, s, secret, "GET", "/v1/pages/"+id+wait, ""), 200).State
}

func TestAPageIsOpenedOnce(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	opened := openPage(t, s, s.Secret)
	if opened.URL != s.URL+"/" || opened.State != contract.PageWaiting {
		t.Errorf("%+v", opened)
	}
	if got := pageState(t, s, s.Secret, opened.ID, ""); got != contract.PageWaiting {
		t.Errorf("it is %s before anybody came", got)
	}
	asker := &client.Client{URL: s.URL, Token: s.Secret}
	defer asker.Close()
	waited := make(chan contract.PageState, 1)
	go func() {
		told, _ := asker.Page(t.Context(), opened.ID, 20*time.Second)
		waited <- told.State
	}()
	page := enterPage(t, s, opened.Code)
	if got := <-waited; got != contract.PageOpened {
		t.Errorf("who waited for it was told that it is %s", got)
	}
	if got := call(t, s, page.Token, "GET", "/v1/status", ""); got.status != 200 {
		t.Errorf("the page may not read: %d %s", got.status, got.body)
	}
	call(t, s, opened.Code, "POST", "/v1/pages/session", "").wantProblem(t, "UNAUTHORIZED")
	call(t, s, s.Token(t, contract.RightRead), "GET", "/v1/pages/"+opened.ID, "").wantProblem(t, "NOT_FOUND")
}

// TestTwoBrowsersWithOneCode: however close they are, one gets in.
func TestTwoBrowsersWithOneCode(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	for range 20 {
		code := openPage(t, s, s.Secret).Code
		statuses := make(chan int)
		for range 4 {
			go func() { statuses <- call(t, s, code, "POST", "/v1/pages/session", "").status }()
		}
		got := []int{<-statuses, <-statuses, <-statuses, <-statuses}
		slices.Sort(got)
		if !slices.Equal(got, []int{201, 401, 401, 401}) {
			t.Fatalf("statuses %v", got)
		}
	}
}

func TestACodeOpensNothingButAPage(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	observeOneOfEach(t, s)
	lend(s, contract.Owner{Name: "user 1000"})
	code := openPage(t, s, s.Secret).Code
	for pattern, sample := range rows() {
		if pattern == "POST /v1/pages/session" {
			continue
		}
		method, _, _ := strings.Cut(pattern, " ")
		call(t, s, code, method, sample.target, sample.body).wantProblem(t, "FORBIDDEN")
	}
	enterPage(t, s, code) // it was not used up by that
}

func TestACodeIsOverAfterAMinute(t *testing.T) {
	clock := time.Now()
	s := apitest.Start(t, apitest.Options{})
	s.API.SetPageClock(func() time.Time { return clock })
	first, second := openPage(t, s, s.Secret), openPage(t, s, s.Secret)
	clock = clock.Add(59 * time.Second)
	enterPage(t, s, first.Code)
	clock = clock.Add(time.Second)
	call(t, s, second.Code, "POST", "/v1/pages/session", "").wantProblem(t, "UNAUTHORIZED")
	if got := pageState(t, s, s.Secret, second.ID, "?wait=1m"); got != contract.PageExpired {
		t.Errorf("it is %s", got)
	}
	clock = clock.Add(10 * time.Minute)
	openPage(t, s, s.Secret)
	call(t, s, s.Secret, "GET", "/v1/pages/"+first.ID, "").wantProblem(t, "NOT_FOUND")
}

func TestAPageThatNobodyUsesEnds(t *testing.T) {
	clock := time.Now()
	s := apitest.Start(t, apitest.Options{})
	s.API.SetPageClock(func() time.Time { return clock })
	page := enterPage(t, s, openPage(t, s, s.NamedToken(t, "long", 1000*time.Hour, contract.RightRead).Secret).Code)
	for range 3 {
		clock = clock.Add(12*time.Hour - time.Second)
		if got := call(t, s, page.Token, "GET", "/v1/status", ""); got.status != 200 {
			t.Fatalf("it is used and ends: %s", got.body)
		}
	}
	clock = clock.Add(12 * time.Hour)
	call(t, s, page.Token, "GET", "/v1/status", "").wantProblem(t, "UNAUTHORIZED")
}

// TestAPageMayWhatItsOpenerMayButNoMore walks the rights over the table of
// routes: with all of them, the page is let in to what asks read, lease and
// virtual, and to nothing else.
func TestAPageMayWhatItsOpenerMayButNoMore(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	observeOneOfEach(t, s)
	lend(s, contract.Owner{Name: "user 1000"})
	page := enterPage(t, s, openPage(t, s, s.Secret).Code)
	if want := []contract.Right{contract.RightRead, contract.RightLease, contract.RightVirtual}; !slices.Equal(page.Rights, want) {
		t.Errorf("rights %v, want %v", page.Rights, want)
	}
	for pattern, sample := range rows() {
		method, _, _ := strings.Cut(pattern, " ")
		got := call(t, s, page.Token, method, sample.target, sample.body)
		if may := slices.Contains(page.Rights, sample.right); sample.target != "/v1/pages" && sample.target != "/v1/pages/session" && may == (got.status == 403 && got.problem(t).Code == "FORBIDDEN") {
			t.Errorf("%s, which asks %s: %d %s", pattern, sample.right, got.status, got.body)
		}
		if strings.Contains(got.body, user) || strings.Contains(got.body, holder) {
			t.Errorf("%s tells whose card it is: %s", pattern, got.body)
		}
	}
	for _, path := range []string{"/v1/pages", "/v1/pages/session"} { // a page opens no page
		call(t, s, page.Token, "POST", path, "").wantProblem(t, "FORBIDDEN")
	}
	reader := enterPage(t, s, openPage(t, s, s.Token(t, contract.RightRead)).Code)
	if !slices.Equal(reader.Rights, []contract.Right{contract.RightRead}) {
		t.Errorf("a reader's page has %v", reader.Rights)
	}
	call(t, s, reader.Token, "GET", "/v1/virtual", "").wantProblem(t, "FORBIDDEN")
	call(t, s, s.Leases.Lend(contract.Owner{Name: "user 1000"}), "POST", "/v1/pages", "").wantProblem(t, "FORBIDDEN")
}

func TestAPageEndsWithTheTokenThatOpenedIt(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	opener := s.NamedToken(t, "opener", time.Hour, contract.RightRead)
	page := enterPage(t, s, openPage(t, s, opener.Secret).Code)
	code := openPage(t, s, opener.Secret).Code
	other := enterPage(t, s, openPage(t, s, s.Secret).Code)
	ended := make(chan error, 1)
	streams := make(chan struct{}, 100)
	reader := &client.Client{URL: s.URL, Token: page.Token}
	defer reader.Close()
	patience, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	go func() {
		ended <- reader.Events(patience, "", func(client.Event) error { streams <- struct{}{}; return nil })
	}()
	<-streams
	if got := call(t, s, s.Secret, "DELETE", "/v1/tokens/opener", ""); got.status != 204 {
		t.Fatal(got.body)
	}
	var refused *contract.Problem
	if err := <-ended; !errors.As(err, &refused) || refused.Code != "UNAUTHORIZED" {
		t.Errorf("its stream ended with %v", err)
	}
	call(t, s, page.Token, "GET", "/v1/status", "").wantProblem(t, "UNAUTHORIZED")
	call(t, s, code, "POST", "/v1/pages/session", "").wantProblem(t, "UNAUTHORIZED")
	if got := call(t, s, other.Token, "GET", "/v1/status", ""); got.status != 200 {
		t.Error("another's page has ended")
	}
}

func TestAPageDoesNotOutliveTheDaemon(t *testing.T) {
	first := apitest.Start(t, apitest.Options{})
	page := enterPage(t, first, openPage(t, first, first.Secret).Code)
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	second := apitest.Start(t, apitest.Options{Dir: first.Dir})
	call(t, second, page.Token, "GET", "/v1/status", "").wantProblem(t, "UNAUTHORIZED")
}

// TestOneOpenerDoesNotUseUpThePages: its oldest page makes room.
func TestOneOpenerDoesNotUseUpThePages(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	other := enterPage(t, s, openPage(t, s, s.Token(t, contract.RightRead)).Code)
	oldest := enterPage(t, s, openPage(t, s, s.Secret).Code)
	var newest contract.PageSession
	for range 16 {
		newest = enterPage(t, s, openPage(t, s, s.Secret).Code)
	}
	call(t, s, oldest.Token, "GET", "/v1/status", "").wantProblem(t, "UNAUTHORIZED")
	for _, still := range []string{other.Token, newest.Token} {
		if got := call(t, s, still, "GET", "/v1/status", ""); got.status != 200 {
			t.Error(got.body)
		}
	}
}

// TestTheFilesOfThePageAreForAnybodyOnThisMachine: without a token, and by all
// else that the guard asks.
func TestTheFilesOfThePageAreForAnybodyOnThisMachine(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	observeOneOfEach(t, s)
	port := portOf(s.URL)
	address := strings.TrimPrefix(s.URL, "http://")
	get := func(path string, bend func(*request)) answer {
		r := newRequest("GET", row{target: path}, port, "none")
		r.del("Authorization")
		if bend != nil {
			bend(r)
		}
		return r.send(t, "tcp", address)
	}
	page := get("/", nil)
	if page.status != 200 || page.header.Get("Content-Type") != "text/html; charset=utf-8" || page.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v", page.status, page.header)
	}
	for _, h := range []struct{ name, want string }{
		{"Content-Security-Policy", web.Policy},
		{"X-Content-Type-Options", "nosniff"},
		{"X-Frame-Options", "DENY"},
		{"Cross-Origin-Opener-Policy", "same-origin"},
		{"Cross-Origin-Resource-Policy", "same-origin"},
		{"Referrer-Policy", "no-referrer"},
	} {
		if got := page.header.Get(h.name); got != h.want {
			t.Errorf("%s: %q, want %q", h.name, got, h.want)
		}
	}
	asset := get("/assets/page.js", nil)
	if asset.status != 200 || asset.header.Get("Content-Type") != "text/javascript; charset=utf-8" || asset.header.Get("Etag") == "" {
		t.Errorf("%d %v", asset.status, asset.header)
	}
	if again := get("/assets/page.js", func(r *request) { r.set("If-None-Match", asset.header.Get("Etag")) }); again.status != 304 {
		t.Errorf("what has not changed is sent again: %d", again.status)
	}
	for path, status := range map[string]int{"/assets": 401, "/assets/": 401, "/assets/none.js": 401, "/index.html": 401, "/assets/../": 401, "/?x=1": 400} {
		if got := get(path, nil); got.status != status {
			t.Errorf("%s: %d, want %d", path, got.status, status)
		}
	}

	navigates := func(mode, dest string) func(*request) {
		return func(r *request) {
			r.set("Sec-Fetch-Site", "cross-site")
			r.set("Sec-Fetch-Mode", mode)
			r.set("Sec-Fetch-Dest", dest)
		}
	}
	if got := get("/", navigates("navigate", "document")); got.status != 200 {
		t.Errorf("a file does not lead to the page: %s", got.body)
	}
	for name, bend := range map[string]func(*request){
		"a frame":           navigates("navigate", "iframe"),
		"an object":         navigates("navigate", "object"),
		"a script":          navigates("no-cors", "script"),
		"fetch":             navigates("cors", "empty"),
		"without a mode":    func(r *request) { r.set("Sec-Fetch-Site", "cross-site") },
		"a foreign origin":  func(r *request) { navigates("navigate", "document")(r); r.set("Origin", "http://evil.example") },
		"the origin null":   func(r *request) { navigates("navigate", "document")(r); r.set("Origin", "null") },
		"a rebound name":    func(r *request) { r.set("Host", "evil.example:"+port) },
		"another port":      func(r *request) { r.set("Host", "127.0.0.1:1") },
		"two destinations":  func(r *request) { navigates("navigate", "document")(r); r.add("Sec-Fetch-Dest", "iframe") },
		"a body":            func(r *request) { r.body = "{}"; r.add("Content-Length", "2") },
		"a method override": func(r *request) { r.set("X-HTTP-Method-Override", "POST") },
	} {
		if got := get("/", bend); got.status < 400 || strings.Contains(got.body, "<html") {
			t.Errorf("%s: %d", name, got.status)
		}
		if got := get("/assets/page.js", bend); got.status < 400 {
			t.Errorf("%s, asset: %d", name, got.status)
		}
	}
	if got := get("/assets/page.js", navigates("navigate", "document")); got.status != 403 {
		t.Errorf("an asset is shown as a page: %d", got.status)
	}
	if got := get("/v1/status", navigates("navigate", "document")); got.status != 403 {
		t.Errorf("the way to the page is a way to the rest: %d", got.status)
	}
	post := newRequest("POST", row{target: "/"}, port, s.Secret)
	post.send(t, "tcp", address).wantProblem(t, "NOT_FOUND")
}
