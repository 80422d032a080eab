//go:build !linux

package vcard

import "net"

// quickACK is for Linux; elsewhere there is no such option, and no pcscd with
// vpcd that would want it.
func quickACK(net.Conn) {}
