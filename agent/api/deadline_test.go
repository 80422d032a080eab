package api

import (
	"testing"

	"github.com/danielgtaylor/huma/v2"
)

// TestNoDeadlineOfABodyOutlivesIt: huma would put one of 5 s on the connection
// and leave it there; then net/http ends the call, and each later one on the
// same connection, though its caller still waits.
func TestNoDeadlineOfABodyOutlivesIt(t *testing.T) {
	t.Parallel()
	for _, r := range routes() {
		op := r.operation(huma.NewMapRegistry("#/", huma.DefaultSchemaNamer))
		if op.BodyReadTimeout >= 0 {
			t.Errorf("%s: a deadline of %s", r.pattern(), op.BodyReadTimeout)
		}
	}
}
