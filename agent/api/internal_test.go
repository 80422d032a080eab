package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/inventory"
)

// TestARouteWithoutARowDoesNotStart: nothing can be served past the table.
func TestARouteWithoutARowDoesNotStart(t *testing.T) {
	for name, table := range map[string][]route{
		"no row":        {},
		"no right":      {{method: get, path: "/x"}},
		"unknown right": {{method: get, path: "/x", right: "everything"}},
		"other method":  {{method: post, path: "/x", right: contract.RightRead}},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("it was registered")
				}
			}()
			g := newGate(&Server{meters: newMeters()}, table)
			g.HandleFunc("GET /x", func(http.ResponseWriter, *http.Request) {})
		})
	}
}

func TestTheTableIsSorted(t *testing.T) {
	table := routes()
	for i := 1; i < len(table); i++ {
		if a, b := table[i-1], table[i]; a.path > b.path {
			t.Errorf("%s comes before %s", a.pattern(), b.pattern())
		}
	}
}

// TestEveryCodeWeAnswerWithIsAProblem: it has a status, a title and a remedy in
// the registry.
func TestEveryCodeWeAnswerWithIsAProblem(t *testing.T) {
	for _, code := range []failure.Code{
		failure.HostRefused, failure.OriginRefused, failure.BadRequest, failure.Unauthorized, failure.Forbidden, failure.NotFound,
		failure.MethodNotAllowed, failure.BodyTooLarge, failure.UnsupportedMediaType, failure.RequestTimeout, failure.Conflict,
		failure.Internal, failure.TooManyStreams, failure.VirtualOff,
	} {
		entry, ok := failure.Lookup(code)
		if !ok || entry.Status < 400 || entry.Status > 599 || entry.Title == "" || entry.Remedy == "" {
			t.Errorf("%s: %+v", code, entry)
		}
	}
}

func TestACodeWithoutStatusIsStillAProblem(t *testing.T) {
	for _, code := range []failure.Code{"NO_SUCH_CODE", ""} {
		if p := problemOf(context.Background(), &failure.Error{Code: code}); p.Status < 400 || p.Title == "" || p.Code == "" {
			t.Errorf("%q: %+v", code, p)
		}
	}
}

func TestAQuietStreamBeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i, err := inventory.New(t.Context(), inventory.Config{})
		if err != nil {
			t.Fatal(err)
		}
		events, err := i.Subscribe(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		if d, err := next(t.Context(), events); err != nil || d.View == nil {
			t.Fatalf("%+v, %v: want the snapshot", d, err)
		}
		for range 3 {
			began := time.Now()
			if _, err := next(t.Context(), events); !errors.Is(err, errQuiet) || time.Since(began) != 15*time.Second {
				t.Fatalf("%v after %s, want a heartbeat after 15 s", err, time.Since(began))
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := next(ctx, events); !errors.Is(err, context.Canceled) {
			t.Fatalf("%v, want the end", err)
		}
	})
}

func TestHoldsAreBoundedAndEndWithTheirToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHolds(2)
		a, releaseA, err := h.hold(t.Context(), Caller{TokenID: "a"})
		if err != nil {
			t.Fatal(err)
		}
		b, releaseB, err := h.hold(t.Context(), Caller{TokenID: "b", Expires: time.Now().Add(time.Minute)})
		if err != nil {
			t.Fatal(err)
		}
		var e *failure.Error
		if _, _, err := h.hold(t.Context(), Caller{TokenID: "c"}); !errors.As(err, &e) || e.Code != failure.TooManyStreams {
			t.Fatalf("the third of two: %v", err)
		}
		h.revoke("a")
		if !errors.Is(context.Cause(a), errRevoked) || b.Err() != nil {
			t.Errorf("a: %v, b: %v", context.Cause(a), b.Err())
		}
		<-b.Done() // at its expiry
		if !errors.Is(context.Cause(b), errRevoked) {
			t.Errorf("b: %v", context.Cause(b))
		}
		releaseA()
		releaseB()
		c, releaseC, err := h.hold(t.Context(), Caller{})
		if err != nil || h.count() != 1 {
			t.Fatalf("%v, %d held", err, h.count())
		}
		h.end(errStopping)
		if !errors.Is(context.Cause(c), errStopping) {
			t.Errorf("c: %v", context.Cause(c))
		}
		releaseC()
		if d, release, err := h.hold(t.Context(), Caller{}); err != nil || d.Err() == nil {
			t.Errorf("after the end: %v, %v", d.Err(), err)
		} else {
			release()
		}
	})
}

// TestOneTokenShutsOutNobody: whoever holds open all that it can leaves half of it
// to the others.
func TestOneTokenShutsOutNobody(t *testing.T) {
	const most = 10
	for _, hog := range []Caller{{TokenID: "hog"}, {Lease: "hog"}} {
		h := newHolds(most)
		var releases []func()
		for {
			_, release, err := h.hold(t.Context(), hog)
			var e *failure.Error
			if errors.As(err, &e) && e.Code == failure.TooManyStreams {
				break
			}
			releases = append(releases, release)
		}
		if h.count() != most/2 {
			t.Errorf("%+v has %d of %d", hog, h.count(), most)
		}
		for _, other := range []Caller{{TokenID: "other"}, {Lease: "other"}, {Name: "user 1000"}, {Name: "user 1000"}, {Name: "user 1000"}} {
			_, release, err := h.hold(t.Context(), other)
			if err != nil {
				t.Errorf("%+v: %v", other, err)
			}
			releases = append(releases, release)
		}
		for _, release := range releases {
			release()
		}
		if _, release, err := h.hold(t.Context(), hog); err != nil {
			t.Errorf("%+v, which has let go: %v", hog, err)
		} else {
			release()
		}
	}
}

// TestOneUserShutsOutNobody, however many tokens they make.
func TestOneUserShutsOutNobody(t *testing.T) {
	const most = 8
	h, hers := newHolds(most), 0
	for n := range 2 * most {
		_, release, err := h.hold(t.Context(), Caller{TokenID: strconv.Itoa(n), User: User{ID: "4001"}})
		defer release()
		if err == nil {
			hers++
		}
	}
	if _, _, err := h.hold(t.Context(), Caller{User: User{ID: "4001"}}); hers != 6 || failure.CodeOf(err) != failure.TooManyStreams {
		t.Errorf("she has %d of %d, and then %v", hers, most, err)
	}
	_, release, err := h.hold(t.Context(), Caller{User: User{ID: "4002"}})
	defer release()
	if err != nil {
		t.Errorf("another: %v", err)
	}
}

func TestWhatIsRememberedOfVerdictsIsBounded(t *testing.T) {
	i, err := inventory.New(t.Context(), inventory.Config{})
	if err != nil {
		t.Fatal(err)
	}
	v := &verdicts{judge: func(q contract.Question, _ *contract.Snapshot) contract.Verdict { return contract.Verdict{Question: q} }}
	for n := range 10 * maxVerdicts {
		if _, err := v.answer(contract.Question{AAL: n}, i.View()); err != nil || len(v.answers) > maxVerdicts {
			t.Fatalf("%v, %d remembered", err, len(v.answers))
		}
	}
}

func TestTheDaemonDialsNoOtherMachineForACaller(t *testing.T) {
	for address, allowed := range map[string]bool{
		"": true, "127.0.0.1:35963": true, "localhost:35963": true, "[::1]:1": true,
		"192.0.2.1:35963": false, "vpcd.example:35963": false, "0.0.0.0:35963": false, "[::]:35963": false, "127.0.0.1": false, "127.0.0.1:x": false, "127.0.0.1:70000": false, "localhost.example:1": false,
	} {
		if err := checkVPCD(address); (err == nil) != allowed {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestRefusalsAreLoggedNowAndThen(t *testing.T) {
	now := time.Now()
	l := newLimiter()
	l.now = func() time.Time { return now }
	if _, ok := l.allow("A"); !ok {
		t.Error("the first is dropped")
	}
	for range 7 {
		if _, ok := l.allow("A"); ok {
			t.Error("the second is not dropped")
		}
	}
	if _, ok := l.allow("B"); !ok {
		t.Error("another kind is dropped")
	}
	now = now.Add(sayEvery)
	if dropped, ok := l.allow("A"); !ok || dropped != 7 {
		t.Errorf("later: %d dropped, %v", dropped, ok)
	}
}

// TestNoMessageOfHumaBringsTheValueBack holds the filter against the messages
// that contain what was sent.
func TestNoMessageOfHumaBringsTheValueBack(t *testing.T) {
	for _, message := range []string{
		`json: cannot unmarshal number 48151623 into Go struct field X.y of type int8`,
		`invalid character '4' after top-level value`,
		`invalid value: 48151623`,
	} {
		f := fieldOf(&huma.ErrorDetail{Location: "body.pin", Message: message, Value: "48151623"})
		if strings.Contains(f.Message, "4") || f.Location != "body.pin" {
			t.Errorf("%q came through as %+v", message, f)
		}
	}
}

// revoked is a store whose tokens were all revoked a moment ago.
type revoked struct{ TokenStore }

func (revoked) Tokens() []contract.Token { return nil }

// TestNothingIsHeldForATokenThatHasJustEnded: what is held only after its token
// was revoked would be ended by nobody.
func TestNothingIsHeldForATokenThatHasJustEnded(t *testing.T) {
	s := &Server{config: Config{Tokens: revoked{}, Users: everybody{}}, holds: newHolds(2)}
	for name, c := range map[string]struct {
		caller Caller
		held   bool
	}{
		"a token":            {Caller{TokenID: "t"}, false},
		"a user":             {Caller{Name: "user 1000"}, true},
		"a page of a token":  {Caller{TokenID: "t", page: &pageSession{}}, false},
		"a code of a token":  {Caller{code: &pageCode{opener: Caller{TokenID: "t"}}}, false},
		"a code of a user's": {Caller{code: &pageCode{}}, true},
	} {
		_, release, err := s.hold(context.WithValue(t.Context(), callerKey{}, c.caller))
		if (err == nil) != c.held {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && failure.CodeOf(err) != failure.Unauthorized {
			t.Errorf("%s: %v", name, err)
		}
		release()
		if n := s.holds.count(); n != 0 {
			t.Errorf("%s: %d are held", name, n)
		}
	}
}
