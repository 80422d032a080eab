package contract

import "context"

type requestKey struct{}

// WithRequestID marks all that is done for one API request, down to the APDU,
// with the id that its answer and the log carry.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestKey{}, id)
}

// RequestID is the id of the request that ctx belongs to; empty without one.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestKey{}).(string)
	return id
}

// Truncated is the data of the event that tells a reader of the stream that it
// has missed some; the snapshot with this id follows and makes up for it.
type Truncated struct {
	Snapshot string `json:"snapshot"`
}

// The names, in the stream, of what is no entry of the journal.
const (
	StreamSnapshot  EventType = "snapshot"
	StreamTruncated EventType = "truncated"
)
