package platform

import "net"

// ProgramOf says which program is at the other end of a connection from Listen, by
// the name of its file; empty where the operating system does not tell. It is for
// people and proves nothing: a user may run any program under any name.
func ProgramOf(conn net.Conn) string {
	peer, err := peerOf(within(conn))
	if err != nil || peer.PID <= 0 {
		return ""
	}
	return programName(peer.PID)
}
