//go:build !windows

package hello_test

import (
	"errors"
	"testing"

	"authbridge/fido/hello"
)

func TestThereIsNoHelloButOnWindows(t *testing.T) {
	t.Parallel()
	if s, err := hello.Ask(); !errors.Is(err, hello.ErrNoSession) {
		t.Errorf("%+v, %v", s, err)
	}
}
