package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"authbridge/agent/api/apitest"
	"authbridge/agent/client"
	"authbridge/agent/contract"
)

// follow reads the stream in the background into a channel.
func follow(t *testing.T, c *client.Client, after string) (<-chan client.Event, <-chan error, context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	events, ended, done := make(chan client.Event), make(chan error, 1), make(chan struct{})
	go func() {
		defer close(done)
		ended <- c.Events(ctx, after, func(e client.Event) error {
			select {
			case events <- e:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case <-done:
		case <-time.After(time.Minute):
			t.Error("the stream does not end")
		}
	})
	return events, ended, cancel
}

// get is the next thing the daemon says; what becomes of the stream is passed
// over.
func get(t *testing.T, events <-chan client.Event) client.Event {
	t.Helper()
	for {
		if e := next(t, events); e.Lost == nil && !e.Back {
			return e
		}
	}
}

func next(t *testing.T, events <-chan client.Event) client.Event {
	t.Helper()
	select {
	case e := <-events:
		return e
	case <-time.After(time.Minute):
		t.Fatal("no event came")
		return client.Event{}
	}
}

// card is the next event about an authenticator. Those before it are passed
// over, and none may be missing: ids count without holes.
func card(t *testing.T, events <-chan client.Event, after *contract.EventID) contract.Event {
	t.Helper()
	for {
		e := get(t, events)
		if e.Event == nil {
			t.Fatalf("got %+v, want an event", e)
		}
		id, err := contract.ParseEventID(e.ID)
		if err != nil {
			t.Fatal(err)
		}
		if after.Seq++; id != *after || e.Event.ID != e.ID {
			t.Fatalf("event %s (%s), want %s: missed or told twice", id, e.Event.ID, after)
		}
		if e.Event.Authenticator != nil {
			return *e.Event
		}
	}
}

// start is the id of the snapshot that comes first.
func start(t *testing.T, events <-chan client.Event) *contract.EventID {
	t.Helper()
	first := get(t, events)
	if first.Snapshot == nil || first.Truncated || first.ID != first.Snapshot.ID {
		t.Fatalf("first %+v, want a snapshot", first)
	}
	id, err := contract.ParseEventID(first.ID)
	if err != nil {
		t.Fatal(err)
	}
	return &id
}

func TestTheStreamBeginsWithASnapshot(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	s.Observe(t, cards("card-1"))
	events, _, _ := follow(t, overSocket(t, s), "")
	at := start(t, events)
	s.Observe(t, cards("card-1", "card-2"))
	for e := card(t, events, at); e.Subject != "card-2"; e = card(t, events, at) {
		if e.Subject != "card-1" {
			t.Fatalf("then %+v", e)
		}
	}
}

func TestABrokenStreamIsTakenUpWhereItWas(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	var mu sync.Mutex
	var conns []net.Conn
	c := &client.Client{URL: "unix://" + s.Socket, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		var d net.Dialer
		conn, err := d.DialContext(ctx, network, address)
		if err == nil {
			mu.Lock()
			conns = append(conns, conn)
			mu.Unlock()
		}
		return conn, err
	}}
	defer c.Close()
	events, _, _ := follow(t, c, "")
	at := start(t, events)
	var ids []string
	for n := range 20 {
		ids = append(ids, fmt.Sprintf("card-%02d", n))
		if n%4 == 3 { // cut the wire, then let it happen
			mu.Lock()
			_ = conns[len(conns)-1].Close()
			mu.Unlock()
		}
		s.Observe(t, cards(ids...))
		for e := card(t, events, at); e.Subject != ids[n]; e = card(t, events, at) {
		}
	}
}

func TestTheStreamOutlivesTheDaemon(t *testing.T) {
	first := apitest.Start(t, apitest.Options{})
	c := overSocket(t, first)
	events, _, _ := follow(t, c, "")
	at := start(t, events)
	first.Observe(t, cards("card-1"))
	card(t, events, at)
	// What happens while the client is away is in the journal; the first
	// daemon stops, the next one in the same folder goes on.
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	second := apitest.Start(t, apitest.Options{Dir: first.Dir})
	next := start(t, events)
	if next.Epoch <= at.Epoch {
		t.Fatalf("after the restart the snapshot is %s, before it was %s", next, at)
	}
	second.Observe(t, cards("card-2"))
	if e := card(t, events, next); e.Subject != "card-2" {
		t.Fatalf("%+v", e)
	}
}

func TestAnIdOfAnotherDaemonIsTruncated(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	events, _, _ := follow(t, overSocket(t, s), contract.EventID{Epoch: 1, Seq: 7}.String())
	if e := get(t, events); !e.Truncated {
		t.Fatalf("got %+v, want truncated", e)
	}
	if e := get(t, events); e.Snapshot == nil {
		t.Fatalf("got %+v, want a snapshot", e)
	}
}

func TestRevokingATokenEndsItsStream(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	token := s.NamedToken(t, "watcher", time.Hour, contract.RightRead)
	events, ended, _ := follow(t, overTCP(t, s, token.Secret), "")
	get(t, events)
	if err := overSocket(t, s).RevokeToken(t.Context(), "watcher"); err != nil {
		t.Fatal(err)
	}
	for late := time.After(time.Minute); ; {
		select {
		case e := <-events:
			if e.Lost == nil {
				t.Errorf("then %+v", e)
			}
		case err := <-ended:
			wantProblem(t, err, "UNAUTHORIZED")
			return
		case <-late:
			t.Fatal("the stream of a revoked token goes on")
		}
	}
}

func TestWithoutIdentityTheStreamTellsNoPersonalData(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	s.Observe(t, cards("card-1"))
	plain, _, _ := follow(t, overTCP(t, s, s.Token(t, contract.RightRead, contract.RightIdentity)), "")
	masked, _, _ := follow(t, overTCP(t, s, s.Token(t, contract.RightRead)), "")
	first, second := start(t, plain), start(t, masked)
	s.Observe(t, cards("card-1", "card-2"))
	if e := card(t, plain, first); e.Authenticator.Holder != holder {
		t.Errorf("with identity: %+v", e)
	}
	e := card(t, masked, second)
	if text := fmt.Sprintf("%+v %+v", e, e.Authenticator); strings.Contains(text, user) || strings.Contains(text, holder) {
		t.Errorf("without identity: %s", text)
	}
}

func TestWhoIsToldCanEndTheStream(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	enough := errors.New("enough")
	if err := overSocket(t, s).Events(t.Context(), "", func(client.Event) error { return enough }); !errors.Is(err, enough) {
		t.Fatalf("got %v", err)
	}
}

func TestABadIdIsRefused(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	err := overSocket(t, s).Events(t.Context(), "yesterday", func(client.Event) error { return nil })
	if p := wantProblem(t, err, "BAD_REQUEST"); len(p.Fields) != 1 || p.Fields[0].Location != "header.Last-Event-ID" {
		t.Errorf("fields %+v", p.Fields)
	}
}

func TestThatTheDaemonGoesAndComesBackIsToldOnce(t *testing.T) {
	first := apitest.Start(t, apitest.Options{})
	events, _, _ := follow(t, overSocket(t, first), "")
	start(t, events)
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	lost := next(t, events)
	for lost.Event != nil { // its last ones
		lost = next(t, events)
	}
	if lost.Lost == nil || lost.Lost.Error() == "" || errors.Is(lost.Lost, io.EOF) || lost.ID != "" || lost.Snapshot != nil {
		t.Fatalf("got %+v, want the reason why it is lost", lost)
	}
	// It is tried for more than once meanwhile, which is no news.
	select {
	case e := <-events:
		t.Fatalf("then %+v", e)
	case <-time.After(500 * time.Millisecond):
	}
	apitest.Start(t, apitest.Options{Dir: first.Dir})
	if e := next(t, events); !e.Back || e.Lost != nil {
		t.Fatalf("got %+v, want back", e)
	}
	start(t, events)
}
