// Package serve runs an HTTP server until its context ends, and ends it in
// time. It never looks at a request.
package serve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// Until serves on the listeners until ctx ends or one of them breaks, and closes
// them. What is being answered then has the grace to end in and is cut off after
// it. It returns nil, or what a listener broke with. The server's ConnState is
// taken for this.
func Until(ctx context.Context, server *http.Server, grace time.Duration, listeners ...net.Listener) error {
	var silent silent
	server.ConnState = silent.note
	var serving sync.WaitGroup
	broke := make(chan error, len(listeners))
	for _, l := range listeners {
		serving.Go(func() {
			if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				broke <- fmt.Errorf("serve on %s: %w", l.Addr(), err)
			}
		})
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-broke:
	}
	silent.end()
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if server.Shutdown(end) != nil {
		_ = server.Close()
	}
	serving.Wait()
	return err
}

// silent are the connections on which nobody has asked anything yet. A browser
// opens such ones ahead of need, a client when another becomes free meanwhile,
// and http.Server.Shutdown would wait 5 s for each (golang/go#22682).
type silent struct {
	mu    sync.Mutex
	conns map[net.Conn]struct{}
	over  bool
}

// note is an http.Server's ConnState.
func (s *silent) note(c net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case state != http.StateNew:
		delete(s.conns, c)
	case s.over:
		_ = c.Close()
	default:
		if s.conns == nil {
			s.conns = make(map[net.Conn]struct{})
		}
		s.conns[c] = struct{}{}
	}
}

// end closes them, and those that still come.
func (s *silent) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	for c := range s.conns {
		_ = c.Close()
	}
}
