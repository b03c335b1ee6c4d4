// A worker with Temporal's own Go SDK and its defaults, for scripts/bench: a
// task is as many steps as its input says, each an activity that sends one of
// the recorded requests and reads the answer to its end.
//
//	worker ADDRESS QUEUE REQUESTS URL
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

type request struct {
	Path    string
	Headers map[string]string
	Body    string
}

type block struct {
	Type  string          `json:"type"`
	Text  string          `json:"text,omitempty"`
	ID    string          `json:"id,omitempty"`
	Name  string          `json:"name,omitempty"`
	Input json.RawMessage `json:"input,omitempty"`
	parts []byte
}

// A line of the stream, as far as the content needs it.
type event struct {
	Type  string
	Index int
	Block block `json:"content_block"`
	Delta struct {
		Text    string
		Partial string `json:"partial_json"`
	}
}

var (
	requests []request
	address  string
	caller   = http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: 1024,
	}}
)

func send(ctx context.Context, step int) (io.ReadCloser, error) {
	what := requests[step]
	r, err := http.NewRequestWithContext(ctx, "POST", address+what.Path,
		strings.NewReader(what.Body))
	if err != nil {
		return nil, err
	}
	for name, value := range what.Headers {
		r.Header.Set(name, value)
	}
	answer, err := caller.Do(r)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != 200 {
		answer.Body.Close()
		return nil, fmt.Errorf("%s: %s", what.Path, answer.Status)
	}
	return answer.Body, nil
}

// A beat a second until the step is done.
func beat(ctx context.Context) func() {
	done := make(chan struct{})
	go func() {
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				activity.RecordHeartbeat(ctx)
			case <-done:
				return
			}
		}
	}()
	return func() { close(done) }
}

func Turn(ctx context.Context, step int) ([]block, error) {
	defer beat(ctx)()
	body, err := send(ctx, step)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	var content []block
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		data, found := bytes.CutPrefix(lines.Bytes(), []byte("data: "))
		if !found {
			continue
		}
		var e event
		if err := json.Unmarshal(data, &e); err != nil {
			return nil, err
		}
		switch e.Type {
		case "content_block_start":
			content = append(content, e.Block)
		case "content_block_delta":
			b := &content[e.Index]
			b.Text += e.Delta.Text
			b.parts = append(b.parts, e.Delta.Partial...)
		case "content_block_stop":
			if b := &content[e.Index]; len(b.parts) > 0 {
				b.Input = b.parts
			}
		}
	}
	return content, lines.Err()
}

func Call(ctx context.Context, step int) (json.RawMessage, error) {
	defer beat(ctx)()
	body, err := send(ctx, step)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(body)
}

func Task(ctx workflow.Context, steps int) (string, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: time.Hour,
		HeartbeatTimeout:    3 * time.Second,
	})
	var content []block
	for step := 0; step < steps; step++ {
		var err error
		if step%2 == 0 {
			err = workflow.ExecuteActivity(ctx, Turn, step).Get(ctx, &content)
		} else {
			var answer json.RawMessage
			err = workflow.ExecuteActivity(ctx, Call, step).Get(ctx, &answer)
		}
		if err != nil {
			return "", err
		}
	}
	return content[0].Text, nil
}

func run(arguments []string) error {
	if len(arguments) != 5 {
		return fmt.Errorf("usage: worker ADDRESS QUEUE REQUESTS URL")
	}
	recorded, err := os.ReadFile(arguments[3])
	if err != nil {
		return err
	}
	if err := json.Unmarshal(recorded, &requests); err != nil {
		return err
	}
	address = arguments[4]
	c, err := client.Dial(client.Options{
		HostPort: arguments[1],
		Logger: log.NewStructuredLogger(slog.New(slog.NewTextHandler(
			os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))),
	})
	if err != nil {
		return err
	}
	defer c.Close()
	w := worker.New(c, arguments[2], worker.Options{})
	w.RegisterWorkflow(Task)
	w.RegisterActivity(Turn)
	w.RegisterActivity(Call)
	return w.Run(worker.InterruptCh())
}

func main() {
	if err := run(os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "worker:", err)
		os.Exit(111)
	}
}
