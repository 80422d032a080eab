//go:build !windows

package hello

// Ask has nobody to ask here.
func Ask() (State, error) { return State{}, ErrNoSession }
