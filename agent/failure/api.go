package failure

// Problems of the API (RFC 9457).
const (
	BadRequest           Code = "BAD_REQUEST"
	Unauthorized         Code = "UNAUTHORIZED"
	Forbidden            Code = "FORBIDDEN"
	OriginRefused        Code = "ORIGIN_REFUSED"
	HostRefused          Code = "HOST_REFUSED"
	NotFound             Code = "NOT_FOUND"
	MethodNotAllowed     Code = "METHOD_NOT_ALLOWED"
	RequestTimeout       Code = "REQUEST_TIMEOUT"
	Conflict             Code = "CONFLICT"
	BodyTooLarge         Code = "BODY_TOO_LARGE"
	UnsupportedMediaType Code = "UNSUPPORTED_MEDIA_TYPE"
	TooManyStreams       Code = "TOO_MANY_STREAMS"
	DiskFull             Code = "DISK_FULL"
	Internal             Code = "INTERNAL"
	ShuttingDown         Code = "SHUTTING_DOWN"

	VirtualOff      Code = "VIRTUAL_OFF"
	VirtualExists   Code = "VIRTUAL_EXISTS"
	VirtualState    Code = "VIRTUAL_STATE"
	MockOff         Code = "MOCK_OFF"
	VPCDUnavailable Code = "VPCD_UNAVAILABLE"
	UHIDUnavailable Code = "UHID_UNAVAILABLE"
)

func apiEntries() []Entry {
	return []Entry{
		{
			Code: BadRequest, Title: "The request is not as it must be", Status: 400,
			Remedy: "Correct the field that the detail names; `/openapi.json` says what is allowed.",
		},
		{
			Code: Unauthorized, Title: "The caller is not known", Status: 401,
			Remedy: "Send a valid token in the header `Authorization`; `authbridge token create` makes one.",
			Spec:   "RFC 6750, 2.1",
		},
		{
			Code: Forbidden, Title: "The caller may not do this", Status: 403,
			Remedy: "Use a token that has the right named in the detail; at the service of the whole machine most rights come with the group `authbridge`.",
			Mend: Mend{
				Linux:   "sudo gpasswd --add \"$USER\" authbridge   # at the machine's service",
				Windows: "net localgroup authbridge %USERNAME% /add   # elevated, at the service",
				MacOS:   "sudo dseditgroup -o edit -a \"$USER\" -t user authbridge",
			},
		},
		{
			Code: OriginRefused, Title: "Web pages may not call the daemon", Status: 403,
			Remedy: "Call the daemon from a program such as curl or the test runner, not from a web page.",
			Spec:   "Fetch, 3.2: the Origin header",
		},
		{
			Code: HostRefused, Title: "The daemon does not answer to this name", Status: 421,
			Remedy: "Call the daemon by the address that it printed at its start, 127.0.0.1 or localhost with its port.",
			Spec:   "RFC 9110, 15.5.20",
		},
		{
			Code: NotFound, Title: "There is no such thing", Status: 404,
			Remedy: "Check the name or id against the list that the detail names.",
		},
		{
			Code: MethodNotAllowed, Title: "The method is not allowed here", Status: 405,
			Remedy: "Use a method that the detail or the header `Allow` names.",
		},
		{
			Code: RequestTimeout, Title: "The call took too long", Status: 408,
			Remedy: "Send the whole request at once and wait for its answer, then try again.",
		},
		{
			Code: Conflict, Title: "This does not fit the present state", Status: 409,
			Remedy: "Read the present state, and change what the detail names.",
		},
		{
			Code: BodyTooLarge, Title: "The body is too large", Status: 413,
			Remedy: "Send a smaller body, or none where none belongs.",
		},
		{
			Code: UnsupportedMediaType, Title: "The body is in no form that is known here", Status: 415,
			Remedy: "Send the body as JSON with the header `Content-Type: application/json`.",
		},
		{
			Code: TooManyStreams, Title: "Too many calls are waiting", Status: 429,
			Remedy: "Close streams and waiting calls that nobody reads, and try again later.",
		},
		{
			Code: DiskFull, Title: "The disk is full", Status: 507,
			Remedy: "Free some space on the disk of the state folder, then try again; the daemon goes on by itself.",
			Spec:   "RFC 4918, 11.5",
		},
		{
			Code: Internal, Title: "The daemon made a mistake", Status: 500,
			Remedy: "Look it up in the daemon's log, by the request id if it has one, and report it with `authbridge bundle`.",
		},
		{
			Code: ShuttingDown, Title: "The daemon is stopping", Status: 503,
			Remedy: "Ask again once the daemon has been started again.",
			Spec:   "RFC 9110, 15.6.4",
		},
		{
			Code: VirtualOff, Title: "Virtual authenticators are off", Status: 409,
			Remedy: "Start the daemon with `--virtual on` to use virtual authenticators.",
		},
		{
			Code: VirtualExists, Title: "The virtual device is in place already", Status: 409,
			Remedy: "Remove the virtual device that the detail names first, or choose another name or user.",
		},
		{
			Code: VirtualState, Title: "The virtual device is not in the right state", Status: 409,
			Remedy: "Bring the virtual device into the state that the detail names, then try again.",
		},
		{
			Code: MockOff, Title: "The mock of CIS2 is off", Status: 409,
			Remedy: "Start the daemon with `--virtual on`, or give the mock an address with `listen` in the table `[mock]` of the configuration file.",
		},
		{
			Code: VPCDUnavailable, Title: "No virtual reader of the smartcard service can be reached", Status: 409,
			Remedy: "Install vsmartcard-vpcd and start the smartcard service, or leave out `--pcscd` for a card inside the daemon.",
		},
		{
			Code: UHIDUnavailable, Title: "The kernel takes no virtual security key", Status: 409,
			Remedy: "Load the module with `sudo modprobe uhid` and give the daemon's user access to `/dev/uhid`, or leave out `--uhid` for a key inside the daemon.",
		},
	}
}
