package client

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
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
