package platform

import (
	"net"
	"runtime"
	"time"
)

// portService are the ports on one of which the NHS Port Service listens
// (domain/cis2.md 2.6).
var portService = []string{"43487", "44213", "45031", "46478", "48853"}

// NHSCardSoftware is whether NHS card software runs on this machine: its Port
// Service listens. It exists for Windows only.
func NHSCardSoftware() bool {
	return runtime.GOOS == "windows" && anyListens(portService)
}

func anyListens(ports []string) bool {
	for _, port := range ports {
		conn, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", port), 200*time.Millisecond)
		if err == nil {
			_ = conn.Close()
			return true
		}
	}
	return false
}
