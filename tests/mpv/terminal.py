#!/usr/bin/env python3
"""A dumb terminal: asks a Roomtone hub what to play, plays it with mpv, says so.
Usage: terminal.py HUB TOKEN [SONGS [MPV OPTIONS...]]    for example: terminal.py http://192.168.1.20:4700 abc... 3 --ao=null"""
import json, subprocess, sys, time, urllib.error, urllib.request

hub, token = sys.argv[1].rstrip("/"), sys.argv[2]
songs, options = int((sys.argv[3:] or ["0"])[0]), sys.argv[4:]

def call(path, body=None):
    headers = {"Authorization": "Bearer " + token, "Content-Type": "application/json"}
    request = urllib.request.Request(hub + path, body and json.dumps(body).encode(), headers)
    return json.load(urllib.request.urlopen(request, timeout=10))

played = 0
while songs == 0 or played < songs:
    try:
        song = call("/api/player/next-song")
    except urllib.error.HTTPError as error:
        if error.code != 503: sys.exit(error.read().decode())
        time.sleep(int(error.headers["Retry-After"])); continue
    print(song["title"], flush=True)
    began, mpv = time.monotonic(), subprocess.Popen(["mpv", "--no-video", "--really-quiet", *options, song["url"]])
    ended = None
    while ended is None:
        call("/api/player/status", {"song_id": song["song_id"], "status": "active", "position": time.monotonic() - began})
        try: ended = "failed" if mpv.wait(timeout=10) else "finished"
        except subprocess.TimeoutExpired: pass
    call("/api/player/status", {"song_id": song["song_id"], "status": "active", "ended": ended}); played += 1
