package target

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"authbridge/agent/health"
)

// troubleOf says what sort of failure an exchange ended with, and more of it in
// words of our own: what the other side wrote is not repeated.
func troubleOf(ctx context.Context, err error, bound time.Duration) (health.Trouble, string) {
	var (
		name        *net.DNSError
		op          *net.OpError
		certificate *tls.CertificateVerificationError
		record      tls.RecordHeaderError
		refused     proxyError
		system      syscall.Errno
	)
	toProxy := errors.As(err, &op) && op.Op == "proxyconnect"
	switch {
	case errors.Is(context.Cause(ctx), context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return health.TroubleTime, "not within " + bound.String()
	case errors.As(err, &refused):
		return health.TroubleProxy, refused.Error()
	case toProxy:
		return health.TroubleProxy, "no connection to the proxy"
	case errors.As(err, &name):
		return health.TroubleName, name.Name
	case errors.As(err, &certificate):
		return health.TroubleCertificate, whyUntrusted(certificate.Err)
	case strings.Contains(err.Error(), "protocol version"): // crypto/tls has no type for it, whichever side finds out
		return health.TroubleTLS, ""
	case errors.As(err, &record):
		return health.TroubleTLS, "it speaks none at all"
	case errors.As(err, &system):
		return health.TroubleConnection, system.Error()
	case errors.As(err, &op) && op.Op == "remote error": // a TLS alert, in the words of crypto/tls
		return health.TroubleConnection, op.Err.Error()
	}
	return health.TroubleConnection, ""
}

// whyUntrusted says what is wrong with a certificate.
func whyUntrusted(err error) string {
	var (
		invalid x509.CertificateInvalidError
		host    x509.HostnameError
		unknown x509.UnknownAuthorityError
	)
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "it has expired, or is not yet valid by the clock of this machine"
	case errors.As(err, &host):
		return "it is for another host than " + host.Host
	case errors.As(err, &unknown):
		return "its authority is not known here, as where a proxy looks into TLS"
	}
	return ""
}
