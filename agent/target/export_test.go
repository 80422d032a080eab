package target

// OwnTransport is that of a source in use.
var OwnTransport = ownTransport

// Ahead is by how much the clock of who answered is ahead, at least.
var Ahead = ahead
