package target

// OwnTransport is that of a source in use.
var OwnTransport = ownTransport
