//go:build !unix || darwin

package platform

import "context"

func askPIN(context.Context, PINDialog) ([]byte, error) { return nil, ErrNoPINDialog }
