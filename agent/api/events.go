package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/inventory"
)

const (
	eventStream = "text/event-stream"
	// heartbeat tells both ends that the other is still there.
	heartbeat = 15 * time.Second
	// heartbeatLine is a comment, which nobody is told of.
	heartbeatLine = ": heartbeat\n\n"
	// streamWrite is how long a reader may leave its socket full.
	streamWrite = 10 * time.Second
)

type eventsInput struct {
	Header string `header:"Last-Event-ID" maxLength:"40" doc:"go on behind this event"`
	Query  string `query:"last_event_id" maxLength:"40" doc:"the same, for clients that cannot set the header"`
}

type eventsOutput struct{ Body func(huma.Context) }

// getEvents sends a snapshot and then what happens, or, from an id on, what
// happened since.
func (s *Server) getEvents(ctx context.Context, in *eventsInput) (*eventsOutput, error) {
	field, after := "header.Last-Event-ID", in.Header
	if in.Query != "" {
		field, after = "query.last_event_id", in.Query
		if in.Header != "" && in.Header != in.Query {
			return nil, refuse(failure.BadRequest, field, "the header Last-Event-ID says another id; send one of them")
		}
	}
	events, err := s.config.Inventory.Subscribe(ctx, after)
	if errors.Is(err, inventory.ErrEventID) {
		return nil, refuse(failure.BadRequest, field, "allowed: the id of an event or snapshot, EPOCH-SEQ")
	} else if err != nil {
		return nil, err
	}
	ctx, release, err := s.hold(ctx)
	if err != nil {
		return nil, err
	}
	return &eventsOutput{Body: func(h huma.Context) {
		defer release()
		_, w := humago.Unwrap(h)
		s.stream(ctx, w, events, callerOf(ctx))
	}}, nil
}

// viewer is the caller as the inventory tells its events apart.
func (c Caller) viewer() inventory.Viewer {
	return inventory.Viewer{Identity: c.Has(contract.RightIdentity), Owner: c.owner()}
}

// stream writes until the caller, its token or the daemon ends.
func (s *Server) stream(ctx context.Context, w http.ResponseWriter, events *inventory.Subscription, caller Caller) {
	viewer := caller.viewer()
	send := startStream(w)
	if !send([]byte("retry: 1000\n\n")) {
		return
	}
	var buffer []byte
	for {
		delivery, err := next(ctx, events)
		buffer = buffer[:0]
		switch {
		case err == nil:
			buffer = appendDelivery(buffer, delivery, viewer)
		case errors.Is(err, errQuiet):
			buffer = append(buffer, heartbeatLine...)
		default:
			if ctx.Err() == nil && !errors.Is(err, inventory.ErrEnded) {
				// The client resumes where it was.
				s.config.Log.WithError(err).WithField("request_id", contract.RequestID(ctx)).Warn("an event stream was broken off")
			}
			return
		}
		if !send(buffer) || !s.pages.reads(caller) || s.lost(caller) {
			return
		}
	}
}

// startStream begins an event stream, and gives what writes to it; false says
// that nobody reads it any more. Each write has a deadline of its own, so that
// the server's does not end a stream that is read.
func startStream(w http.ResponseWriter) (send func([]byte) bool) {
	control := http.NewResponseController(w)
	w.Header().Set("Content-Type", eventStream)
	w.WriteHeader(http.StatusOK)
	return func(b []byte) bool {
		if control.SetWriteDeadline(time.Now().Add(streamWrite)) != nil {
			return false
		}
		if _, err := w.Write(b); err != nil {
			return false
		}
		return control.Flush() == nil
	}
}

// errQuiet: nothing happened for a heartbeat.
var errQuiet = errors.New("nothing happened")

func next(ctx context.Context, events *inventory.Subscription) (inventory.Delivery, error) {
	beat, cancel := context.WithTimeout(ctx, heartbeat)
	defer cancel()
	delivery, err := events.Next(beat)
	if err != nil && ctx.Err() == nil && beat.Err() != nil {
		return delivery, errQuiet
	}
	return delivery, err
}

// appendDelivery writes it as HTML's server-sent events (section 9.2).
// Encoded JSON has no line ends.
func appendDelivery(b []byte, d inventory.Delivery, viewer inventory.Viewer) []byte {
	if d.View != nil {
		id := d.View.ID().String()
		if d.Truncated {
			// Without an id: who breaks off here has not got the snapshot.
			note, _ := json.Marshal(contract.Truncated{Snapshot: id}) // one string
			b = appendEvent(b, "", string(contract.StreamTruncated), note)
		}
		b = appendEvent(b, id, string(contract.StreamSnapshot), d.View.Encoded(viewer.Identity))
	}
	for _, e := range d.Events {
		b = appendEvent(b, e.ID().String(), string(e.Event(viewer).Type), e.Encoded(viewer))
	}
	return b
}

func appendEvent(b []byte, id, kind string, data []byte) []byte {
	if id != "" {
		b = append(append(append(b, "id: "...), id...), '\n')
	}
	b = append(append(append(b, "event: "...), kind...), '\n')
	return append(append(append(b, "data: "...), data...), "\n\n"...)
}
