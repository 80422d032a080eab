package platform

import "errors"

// ErrNoDesktop says that there is no desktop session that this could be shown in.
var ErrNoDesktop = errors.New("there is no desktop session here")

// tray is what there is one of in a session.
const tray = "the tray of this session"
