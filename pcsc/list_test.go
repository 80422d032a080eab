package pcsc

import (
	"errors"
	"slices"
	"testing"
)

// A reader that comes while the readers are being listed does not make the
// service look down.
func TestAListThatGrowsWhileItIsTakenIsTakenAgain(t *testing.T) {
	t.Parallel()
	grew := &Error{"SCardListReaders", SCARD_E_INSUFFICIENT_BUFFER}
	down := &Error{"SCardListReaders", SCARD_E_NO_SERVICE}
	for _, c := range []struct {
		name  string
		says  []error // one a call, the last for all that follow
		want  error
		calls int
	}{
		{"at rest", []error{nil}, nil, 1},
		{"one reader came", []error{grew, nil}, nil, 2},
		{"several came", []error{grew, grew, grew, nil}, nil, 4},
		{"then the service went", []error{grew, down}, SCARD_E_NO_SERVICE, 2},
		{"the service is down", []error{down}, SCARD_E_NO_SERVICE, 1},
		{"never fits", []error{grew}, SCARD_E_INSUFFICIENT_BUFFER, mostLists},
	} {
		calls := 0
		names, err := listAgain(func() ([]string, error) {
			said := c.says[min(calls, len(c.says)-1)]
			if calls++; said != nil {
				return nil, said
			}
			return []string{"A"}, nil
		})
		if !errors.Is(err, c.want) || calls != c.calls || (err == nil) != slices.Equal(names, []string{"A"}) {
			t.Errorf("%s: %v, %v after %d calls", c.name, names, err, calls)
		}
	}
}
