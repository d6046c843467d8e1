// peer: the other end of NRI's connection, made of upstream's multiplexer and ttrpc.
//
//	peer record            prints calls and the bytes that they are on the wire, as JSON: test/unit/nri/recorded.json
//	peer connect SOCKET    connects as a plugin does; answers calls, and makes those that lines of JSON on stdin ask for
//	peer plain SOCKET      answers calls over the plain connection, without the multiplexer
//
// All payloads are google.protobuf.BytesValue.
package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	nrinet "github.com/containerd/nri/pkg/net"
	"github.com/containerd/nri/pkg/net/multiplex"
	"github.com/containerd/ttrpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const service = "podwright.test.Peer"

type bytesValue = wrapperspb.BytesValue

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return value
}

// method makes a ttrpc method of a function over bytes.
func method(answer func(context.Context, []byte) ([]byte, error)) ttrpc.Method {
	return func(ctx context.Context, unmarshal func(interface{}) error) (interface{}, error) {
		var request bytesValue
		if err := unmarshal(&request); err != nil {
			return nil, err
		}
		value, err := answer(ctx, request.Value)
		if err != nil {
			return nil, err
		}
		return &bytesValue{Value: value}, nil
	}
}

func newServer() *ttrpc.Server {
	server := must(ttrpc.NewServer())
	server.Register(service, map[string]ttrpc.Method{
		"Echo": method(func(_ context.Context, value []byte) ([]byte, error) { return value, nil }),
		"Hash": method(func(_ context.Context, value []byte) ([]byte, error) {
			sum := sha256.Sum256(value)
			return sum[:], nil
		}),
		"Size": method(func(_ context.Context, value []byte) ([]byte, error) {
			var size int
			if err := json.Unmarshal(value, &size); err != nil {
				return nil, err
			}
			return make([]byte, size), nil
		}),
		"Fail": method(func(_ context.Context, value []byte) ([]byte, error) {
			return nil, status.Error(codes.FailedPrecondition, string(value))
		}),
		"Plain": method(func(_ context.Context, value []byte) ([]byte, error) { return nil, fmt.Errorf("%s", value) }),
		// Answers after the given milliseconds, or at the caller's deadline with the milliseconds until then.
		"Sleep": method(func(ctx context.Context, value []byte) ([]byte, error) {
			var ms int
			if err := json.Unmarshal(value, &ms); err != nil {
				return nil, err
			}
			start := time.Now()
			select {
			case <-time.After(time.Duration(ms) * time.Millisecond):
				return nil, nil
			case <-ctx.Done():
				return []byte(fmt.Sprint(time.Since(start).Milliseconds())), nil
			}
		}),
		// Answers after the given milliseconds, whatever the caller's deadline is.
		"Oversleep": method(func(_ context.Context, value []byte) ([]byte, error) {
			var ms int
			if err := json.Unmarshal(value, &ms); err != nil {
				return nil, err
			}
			time.Sleep(time.Duration(ms) * time.Millisecond)
			return nil, nil
		}),
		"Exit": method(func(context.Context, []byte) ([]byte, error) { os.Exit(3); return nil, nil }),
	})
	return server
}

// order is a line of stdin: Count calls at once, each with Size bytes.
type order struct {
	Method                 string
	Text                   string
	Count, Size, TimeoutMs int
}

// result is the line of stdout that answers it.
type result struct {
	OK     int      `json:"ok"`
	Bytes  int      `json:"bytes"`
	Errors []string `json:"errors"`
}

func run(client *ttrpc.Client, o order) result {
	var wait sync.WaitGroup
	var lock sync.Mutex
	r := result{Errors: []string{}}
	for range max(o.Count, 1) {
		wait.Go(func() {
			ctx := context.Background()
			if o.TimeoutMs > 0 {
				deadline, cancel := context.WithTimeout(ctx, time.Duration(o.TimeoutMs)*time.Millisecond)
				defer cancel()
				ctx = deadline
			}
			value := []byte(o.Text)
			if o.Size > 0 {
				value = make([]byte, o.Size)
			}
			var answer bytesValue
			err := client.Call(ctx, service, o.Method, &bytesValue{Value: value}, &answer)
			lock.Lock()
			defer lock.Unlock()
			if err != nil {
				r.Errors = append(r.Errors, fmt.Sprintf("%s: %s", status.Code(err), err))
			} else {
				r.OK++
				r.Bytes += len(answer.Value)
			}
		})
	}
	wait.Wait()
	return r
}

func connect(path string) {
	// What comes for a connection that is not open yet is dropped, and the test may call at once.
	mux := multiplex.Multiplex(must(net.Dial("unix", path)), multiplex.WithBlockedRead())
	listener := must(mux.Listen(multiplex.PluginServiceConn))
	client := ttrpc.NewClient(must(mux.Open(multiplex.RuntimeServiceConn)))
	mux.Unblock()
	go newServer().Serve(context.Background(), listener)
	lines := bufio.NewScanner(os.Stdin)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var o order
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			panic(err)
		}
		if err := out.Encode(run(client, o)); err != nil {
			panic(err)
		}
	}
}

// recorder keeps what is written to a connection, a write an entry.
type recorder struct {
	net.Conn
	lock    sync.Mutex
	written []byte
}

func (r *recorder) Write(bytes []byte) (int, error) {
	r.lock.Lock()
	r.written = append(r.written, bytes...)
	r.lock.Unlock()
	return r.Conn.Write(bytes)
}

func (r *recorder) take() string {
	r.lock.Lock()
	defer r.lock.Unlock()
	taken := hex.EncodeToString(r.written)
	r.written = nil
	return taken
}

type recordedCall struct {
	Name     string `json:"name"`
	Service  string `json:"service"`
	Method   string `json:"method"`
	Payload  string `json:"payload"`
	Request  string `json:"request"`
	Response string `json:"response"`
}

func record() {
	ours, theirs := net.Pipe()
	client, server := &recorder{Conn: ours}, &recorder{Conn: theirs}
	mux := multiplex.Multiplex(client)
	other := multiplex.Multiplex(server)
	go newServer().Serve(context.Background(), must(other.Listen(multiplex.PluginServiceConn)))
	caller := ttrpc.NewClient(must(mux.Open(multiplex.PluginServiceConn)))
	calls := []recordedCall{}
	one := func(name, service, method string, value []byte, timeout time.Duration) {
		ctx := context.Background()
		if timeout > 0 {
			deadline, cancel := context.WithTimeout(ctx, timeout)
			defer cancel()
			ctx = deadline
		}
		_ = caller.Call(ctx, service, method, &bytesValue{Value: value}, &bytesValue{})
		calls = append(calls, recordedCall{name, service, method, hex.EncodeToString(value), client.take(), server.take()})
	}
	long := make([]byte, 5000)
	for i := range long {
		long[i] = byte(i * 7)
	}
	one("empty", service, "Echo", nil, 0)
	one("short", service, "Echo", []byte("hello"), 0)
	one("with a deadline", service, "Echo", []byte("soon"), 90*time.Second)
	one("in two pieces", service, "Echo", long, 0)
	one("failed with a code", service, "Fail", []byte("not like this"), 0)
	one("failed without a code", service, "Plain", []byte("something"), 0)
	one("unknown method", service, "Nothing", nil, 0)
	one("unknown service", "podwright.test.Nobody", "Echo", nil, 0)
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "  ")
	if err := out.Encode(calls); err != nil {
		panic(err)
	}
}

func main() {
	switch os.Args[1] {
	case "record":
		record()
	case "connect":
		connect(os.Args[2])
	case "plain":
		_ = newServer().Serve(context.Background(), nrinet.NewConnListener(must(net.Dial("unix", os.Args[2]))))
	}
}
