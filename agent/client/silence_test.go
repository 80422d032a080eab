package client

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestASilentStreamIsTakenUpAgain: a daemon that hangs sends no heartbeat and
// closes nothing.
func TestASilentStreamIsTakenUpAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		type opened struct {
			at    time.Duration
			after string
		}
		began := time.Now()
		var opens []opened
		c := &Client{URL: "http://127.0.0.1:1", Dial: func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() {
				defer theirs.Close()
				r, err := http.ReadRequest(bufio.NewReader(theirs))
				if err != nil {
					return
				}
				opens = append(opens, opened{time.Since(began), r.Header.Get("Last-Event-ID")})
				if len(opens) == 3 {
					cancel()
					return
				}
				_, _ = io.WriteString(theirs, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
				// It beats for a minute, tells one thing, and then hangs.
				for range 4 {
					time.Sleep(15 * time.Second) //nolint:forbidigo // the daemon's pace, in a bubble's time
					_, _ = io.WriteString(theirs, ": heartbeat\n\n")
				}
				_, _ = io.WriteString(theirs, "id: a-7\nevent: snapshot\ndata: {\"id\":\"a-7\"}\n\n")
				_, _ = io.Copy(io.Discard, theirs) // until the client hangs up
			}()
			return ours, nil
		}}
		err := c.Events(ctx, "", func(Event) error { return nil })
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		c.Close()
		synctest.Wait()
		if len(opens) != 3 || opens[0].after != "" || opens[1].after != "a-7" || opens[2].after != "a-7" {
			t.Fatalf("opened %+v", opens)
		}
		if pause := opens[1].at - opens[0].at; pause < time.Minute+silence || pause > time.Minute+silence+time.Second {
			t.Errorf("taken up again after %s, want a minute and %s", pause, silence)
		}
	})
}

// TestWhoWaitsGivesUpADaemonThatStaysAway: one that is back in time is waited
// for, one that stays away is not.
func TestWhoWaitsGivesUpADaemonThatStaysAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var up atomic.Bool
		c := &Client{URL: "http://127.0.0.1:1", Dial: func(context.Context, string, string) (net.Conn, error) {
			if !up.Load() {
				return nil, errors.New("nobody listens")
			}
			ours, theirs := net.Pipe()
			go func() {
				defer theirs.Close()
				if _, err := http.ReadRequest(bufio.NewReader(theirs)); err != nil {
					return
				}
				_, _ = io.WriteString(theirs, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nid: a-7\nevent: snapshot\ndata: {\"id\":\"a-7\"}\n\n")
				time.Sleep(time.Second) //nolint:forbidigo // it ends a second later, in a bubble's time
			}()
			return ours, nil
		}}
		up.Store(true)
		for _, at := range []struct {
			after time.Duration
			up    bool
		}{{500 * time.Millisecond, false}, {8 * time.Second, true}, {14 * time.Second, false}} {
			time.AfterFunc(at.after, func() { up.Store(at.up) })
		}
		err := c.await(t.Context(), func(Event) error { return nil })
		if !errors.Is(err, ErrNotReachable) {
			t.Errorf("got %v", err)
		}
		// It was gone for less than that once, and for good from 14 s on.
		if waited := time.Since(began); waited < 13*time.Second+returnTime || waited > 15*time.Second+returnTime {
			t.Errorf("gave up after %s", waited)
		}
		c.Close()
		synctest.Wait()
	})
}
