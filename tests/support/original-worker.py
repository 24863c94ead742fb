"""A worker that behaves on the network as original ones do (execution.md §2-§7, §16-§24), as a process of its own.

It uses Python's own HTTP client, as they do, and executes commands with bash in their directories instead of containers. Whatever
makes an original worker sleep for an hour ends this one with code 60 and a line that begins with "SLEEP".
"""
import argparse
import base64
import gzip
import http.client
import io
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tarfile
import threading
import time
import traceback
import urllib.error
import urllib.parse
import urllib.request

parser = argparse.ArgumentParser()
parser.add_argument('--server', required=True)
parser.add_argument('--credentials', required=True)
parser.add_argument('--work-dir', required=True)
parser.add_argument('--id', required=True)
parser.add_argument('--tag')
parser.add_argument('--checkin-frequency-seconds', type=float, default=5)
parser.add_argument('--shared-file-system', action='store_true')
parser.add_argument('--preemptible', action='store_true')
parser.add_argument('--no-web-socket', action='store_true')
parser.add_argument('--silence-seconds', type=float, default=60, help='socket timeout while an upload is answered')
args = parser.parse_args()

CHUNK = 16 * 1024
HOST_NAME = socket.gethostname()


def log(*words):
    print(*words, flush=True)


class Sleep(Exception):
    """What an original worker does not survive awake."""


class Rest:
    def __init__(self, server):
        self.server = server
        self.token, self.until = None, 0
        with open(args.credentials) as file:
            known = json.load(file)
        self.user, self.password = known['username'], known['password']

    def access(self):
        if self.token is None or self.until - time.time() < 300:
            form = {'grant_type': 'password', 'username': self.user, 'password': self.password}
            headers = {
                'Authorization': 'Basic ' + base64.b64encode(b'codalab_worker_client:').decode(),
                'X-Requested-With': 'XMLHttpRequest',
            }
            data = urllib.parse.urlencode(form).encode()
            answer = self.opened(urllib.request.Request(self.server + '/rest/oauth2/token', data, headers))
            body = json.loads(answer.read().decode())
            assert body['token_type'] == 'Bearer', body
            self.token, self.until = body['access_token'], time.time() + body['expires_in']
        return self.token

    def opened(self, request):
        """Any error status, and any failure to connect, is tried once more a second later."""
        for last in (False, True):
            try:
                return urllib.request.urlopen(request, timeout=300)
            except urllib.error.HTTPError as error:
                if error.code not in http.client.responses:
                    raise Sleep('unregistered status %d' % error.code)
                if last:
                    raise
            except urllib.error.URLError:
                if last:
                    raise
            time.sleep(1)

    def headers(self, **more):
        return {'Authorization': 'Bearer ' + self.access(), 'X-Requested-With': 'XMLHttpRequest', **more}

    def request(self, method, path, body=None, encoding=None, form=None):
        headers = self.headers()
        data = form
        if body is not None:
            headers['Content-Type'] = 'application/json; charset=utf-8'
            data = json.dumps(body).encode()
        if encoding:
            headers['Accept-Encoding'] = encoding
        # Small bytes get the label of a form from the library itself.
        return self.opened(urllib.request.Request(self.server + path, data, headers, method=method))

    def json(self, method, path, body=None, encoding=None):
        with self.request(method, path, body, encoding) as answer:
            content = answer.read()
            if answer.headers['Content-Type'] != 'application/json':
                return None
            return json.loads(content.decode('utf-8'))

    def chunked(self, method, path, pieces):
        url = urllib.parse.urlsplit(self.server)
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=60)
        connection.putrequest(method, self.server + path, skip_accept_encoding=True)
        for name, value in self.headers(**{'Transfer-Encoding': 'chunked'}).items():
            connection.putheader(name, value)
        connection.endheaders()
        for piece in pieces:
            for at in range(0, len(piece), CHUNK):
                part = piece[at : at + CHUNK]
                connection.send(b'%X\r\n' % len(part) + part + b'\r\n')
        connection.send(b'0\r\n\r\n')
        connection.sock.settimeout(args.silence_seconds)
        while True:
            try:
                answer = connection.getresponse()
                break
            except socket.timeout:
                log('still waiting: one stray byte')
                connection.send(b'\0')
        text = answer.read().decode('utf-8')
        connection.close()
        if answer.status != 200:
            raise urllib.error.HTTPError(path, answer.status, text, answer.headers, io.BytesIO(text.encode()))


rest = Rest(args.server.rstrip('/'))
BASE = '/rest/workers/' + urllib.parse.quote(args.id)


def reason_of(error):
    body = error.read().decode('utf-8') if isinstance(error, urllib.error.HTTPError) else str(error)
    name = http.client.responses.get(getattr(error, 'code', 0), '')
    return '%s - %s' % (name, body)


class Run:
    def __init__(self, message):
        self.bundle, self.resources = message['bundle'], message['resources']
        self.uuid = self.bundle['uuid']
        self.patterns = self.bundle['metadata']['exclude_patterns']
        self.store = self.bundle['metadata']['store'] or ''
        self.stage, self.times = 'PREPARING', {}
        self.began('PREPARING')
        self.accepted = time.time()
        self.process = self.started = self.ended = None
        self.exit_code = self.failure = self.kill_message = None
        self.dependencies = self.finalized = self.upload = None
        self.disk = 0
        if args.shared_file_system:
            self.directory = self.bundle['location']
        else:
            self.directory = os.path.join(args.work_dir, 'runs', self.uuid)
        for number in ('cpus', 'gpus', 'memory', 'disk', 'time'):
            int(self.resources[number])
        assert ':' in self.resources['docker_image']

    def began(self, stage):
        now = time.time()
        for other in self.times.values():
            if other['end'] is None:
                other['end'], other['elapsed'] = now, now - other['start']
        self.times[stage] = {'start': now, 'end': None, 'elapsed': None}
        self.stage = stage

    def report(self):
        state = {'PREPARING': 'preparing', 'FINALIZING': 'finalizing', 'FINISHED': 'ready'}.get(self.stage, 'running')
        stats = {}
        for stage in ('PREPARING', 'RUNNING', 'CLEANING_UP', 'UPLOADING_RESULTS', 'FINALIZING'):
            known = dict(self.times.get(stage, {'start': None, 'end': None, 'elapsed': None}))
            if known['start'] is not None and known['end'] is None:
                known['elapsed'] = time.time() - known['start']
            stats['RUN_STAGE.' + stage] = known
        total = 0 if self.started is None else (self.ended or time.time()) - self.started
        return {
            'uuid': self.uuid, 'run_status': 'In stage ' + self.stage, 'bundle_start_time': self.accepted,
            'container_time_total': total, 'container_time_user': 0, 'container_time_system': 0,
            'docker_image': None if self.started is None else self.resources['docker_image'] + '@sha256:' + 'ab' * 32,
            'state': state, 'remote': args.id, 'exitcode': self.exit_code, 'failure_message': self.failure,
            'bundle_profile_stats': stats, 'cpu_usage': 0.5, 'memory_usage': 0.1, 'disk_utilization': self.disk,
        }  # fmt: skip

    def step(self):
        getattr(self, self.stage.lower())()

    def preparing(self):
        if self.kill_message:
            self.failure = self.kill_message
            return self.began('FINALIZING')
        if self.dependencies is None:
            self.dependencies = threading.Thread(target=self.fetch, daemon=True)
            self.dependencies.start()
        if self.dependencies.is_alive():
            return
        if self.failure:
            return self.began('FINALIZING')
        os.makedirs(self.directory, exist_ok=True)
        for path, source in self.places():
            link = os.path.join(self.directory, path)
            os.makedirs(os.path.dirname(link), exist_ok=True)
            if os.path.islink(link):
                os.unlink(link)
            os.symlink(source, link)
        command = self.bundle['command'].rstrip()
        shell = '( %s%s ) >stdout 2>stderr' % (command, '' if command.endswith(';') else ';')
        self.started = time.time()
        self.process = subprocess.Popen(
            ['bash', '-c', shell], cwd=self.directory, start_new_session=True,
            env={'HOME': self.directory, 'CODALAB': 'true', 'PATH': os.environ['PATH']},
        )  # fmt: skip
        self.began('RUNNING')

    def places(self):
        for dependency in self.bundle['dependencies']:
            if args.shared_file_system:
                source = os.path.realpath(os.path.join(dependency['location'], dependency['parent_path']))
            else:
                source = self.cached(dependency)
            if dependency['child_path'] == '.':
                for name in os.listdir(source):
                    yield name, os.path.join(source, name)
            else:
                yield dependency['child_path'], source

    def cached(self, dependency):
        key = '%s_%s' % (dependency['parent_uuid'], dependency['parent_path'].replace('/', '_'))
        return os.path.join(args.work_dir, 'dependencies', key)

    def fetch(self):
        if args.shared_file_system:
            return
        for dependency in self.bundle['dependencies']:
            target = self.cached(dependency)
            if os.path.exists(target):
                continue
            try:
                # The path goes out as it is, unescaped.
                path = '/rest/bundles/%s/contents/%%s/%s' % (dependency['parent_uuid'], dependency['parent_path'])
                kind = rest.json('GET', path % 'info', encoding='gzip')['data']['type']
                with rest.request('GET', path % 'blob' + '?support_redirect=1', encoding='gzip') as answer:
                    encoding = answer.headers.get('Content-Encoding') or 'identity'
                    stream = gzip.GzipFile(fileobj=answer) if encoding == 'gzip' else answer
                    if kind == 'directory':
                        assert encoding == 'identity', encoding
                        with tarfile.open(fileobj=stream, mode='r|gz') as archive:
                            archive.extractall(target)
                    else:
                        with open(target + '.part', 'wb') as file:
                            while chunk := stream.read(1 << 20):
                                file.write(chunk)
                        os.rename(target + '.part', target)
            except Exception as error:
                self.failure = 'Failed to download dependency %s: %s' % (dependency['child_path'], reason_of(error))
                return

    def running(self):
        self.disk = sum(
            os.lstat(os.path.join(path, name)).st_size
            for path, _, names in os.walk(self.directory)
            for name in names
            if not os.path.islink(os.path.join(path, name))
        )
        if self.kill_message and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        code = self.process.poll()
        if code is None:
            return
        self.ended = time.time()
        self.exit_code = code if code >= 0 else 128 - code
        if self.exit_code != 0 and self.kill_message is None:
            self.failure = 'Exit code %d' % self.exit_code
        self.began('CLEANING_UP')

    def cleaning_up(self):
        for path, _ in self.places():
            link = os.path.join(self.directory, path.split('/')[0])
            subprocess.run(['rm', '-rf', link], check=True)
        if args.shared_file_system:
            for pattern in self.patterns:
                subprocess.run(['find', '.', '-mindepth', '1', '-name', pattern, '-delete'], cwd=self.directory)
        self.began('UPLOADING_RESULTS')

    def uploading_results(self):
        if self.upload is None and not args.shared_file_system:
            self.upload = threading.Thread(target=self.send, daemon=True)
            self.upload.start()
        if self.upload is not None and self.upload.is_alive():
            return
        if self.kill_message:
            self.failure = '. '.join(text for text in (self.failure, self.kill_message) if text)
        self.began('FINALIZING')

    def send(self):
        query = {'filename': 'bundle.tar.gz', 'finalize_on_success': 0, 'store': self.store}
        path = '/rest/bundles/%s/contents/blob/?%s' % (self.uuid, urllib.parse.urlencode(query))
        while True:
            excludes = ['--exclude=' + pattern for pattern in self.patterns]
            tar = subprocess.Popen(['tar', 'czf', '-', '-C', self.directory, *excludes, '.'], stdout=subprocess.PIPE)
            try:
                rest.chunked('PUT', path, iter(lambda: tar.stdout.read(1 << 20), b''))
                return
            except urllib.error.HTTPError as error:
                if 400 <= error.code < 500:
                    what = 'Error while uploading: Unable to update bundle contents in bundle service: '
                    self.failure = what + reason_of(error)
                    return
                log('upload', reason_of(error))
            except OSError as error:
                log('upload', error)
            finally:
                tar.stdout.close()
                tar.wait()
            time.sleep(30)

    def finalizing(self):
        if self.finalized:
            if not args.shared_file_system:
                subprocess.run(['rm', '-rf', self.directory], check=True)
            self.began('FINISHED')

    def finished(self):
        pass


class Worker:
    def __init__(self):
        self.runs, self.lock, self.wake = {}, threading.RLock(), threading.Event()
        for name in ('runs', 'dependencies'):
            os.makedirs(os.path.join(args.work_dir, name), exist_ok=True)

    def checkin(self):
        with self.lock:
            cached = [
                [dependency['parent_uuid'], dependency['parent_path']]
                for run in self.runs.values()
                for dependency in run.bundle['dependencies']
            ]
            messages = rest.json('POST', BASE + '/checkin', {
                'tag': args.tag, 'group_name': None, 'cpus': 4, 'gpus': 0, 'memory_bytes': 8 << 30,
                'free_disk_bytes': 50 << 30, 'dependencies': [] if args.shared_file_system else cached,
                'hostname': HOST_NAME, 'runs': [run.report() for run in self.runs.values()],
                'shared_file_system': args.shared_file_system, 'tag_exclusive': args.tag is not None,
                'exit_after_num_runs': 999999999, 'is_terminating': False, 'preemptible': args.preemptible,
            })  # fmt: skip
            if not messages:
                return
            for message in messages if isinstance(messages, list) else [messages]:
                if message is not None and not self.handle(message):
                    break
            for run in list(self.runs.values()):
                run.step()
                if run.stage == 'FINISHED':
                    del self.runs[run.uuid]

    def handle(self, message):
        """False: the rest of the array is left alone."""
        kind = message['type']
        if kind == 'run':
            self.start(message)
            return True
        run = self.runs.get(message['uuid'])
        if run is None:
            if kind in ('read', 'netcat'):
                self.reply(message['socket_id'], {'error_code': 500, 'error_message': 'Bundle no longer running'})
            return False
        if kind == 'kill':
            run.kill_message = message.get('kill_message', 'Kill requested')
        elif kind == 'mark_finalized':
            run.finalized = True
        elif kind == 'write':
            with open(os.path.join(run.directory, message['subpath']), 'w') as file:
                file.write(message['string'])
        elif kind == 'netcat':
            threading.Thread(target=self.netcat, args=(message,), daemon=True).start()
        elif kind == 'read':
            self.read(run, message)
        else:
            log('unknown message', kind)
        return True

    def start(self, message):
        bundle = message['bundle']
        for key in ('uuid', 'bundle_type', 'owner_id', 'command', 'state', 'is_anonymous', 'metadata', 'dependencies', 'args'):
            bundle[key]
        body = {'hostname': HOST_NAME, 'start_time': int(time.time())}
        if rest.json('POST', '%s/start_bundle/%s' % (BASE, bundle['uuid']), body) is not True:
            log('not mine:', bundle['uuid'])
            return
        if bundle['uuid'] in self.runs:
            raise Sleep('a run was given twice')
        self.runs[bundle['uuid']] = Run(message)
        log('accepted', bundle['uuid'])

    def reply(self, socket_id, value):
        rest.request('POST', '%s/reply/%d' % (BASE, socket_id), value).close()

    def reply_data(self, socket_id, content, stream=False):
        path = '%s/reply_data/%d?header_message=%s' % (BASE, socket_id, urllib.parse.quote(json.dumps({})))
        if stream:
            rest.chunked('POST', path, [content] if content else [])
        else:
            rest.request('POST', path, form=content).close()

    def netcat(self, message):
        with socket.create_connection(('127.0.0.1', message['port'])) as connection:
            connection.sendall(message['message'].encode())
            content = b''
            while chunk := connection.recv(65536):
                content += chunk
        if content:
            self.reply_data(message['socket_id'], content)
        else:
            self.reply(message['socket_id'], {})

    def read(self, run, message):
        path, wanted, socket_id = message['path'], message['read_args'], message['socket_id']
        place = os.path.normpath(os.path.join(run.directory, path))
        inside = place == run.directory or place.startswith(run.directory + os.sep)
        keys = [dependency['child_path'] for dependency in run.bundle['dependencies']]
        kind = wanted['type']
        if kind == 'get_target_info':
            if not inside or not os.path.lexists(place) or path in keys:
                error = {'error_code': 404, 'error_message': 'Path not found: ' + path}
                return self.reply(socket_id, error)
            info = self.info(place, wanted['depth'], keys if path == '' else [])
            info['resolved_target'] = {'bundle_uuid': run.uuid, 'subpath': path}
            return self.reply(socket_id, {'target_info': info})
        if not inside or os.path.islink(place):
            # Reported twice on the same socket.
            self.reply(socket_id, {'error_code': 404, 'error_message': 'Path not found: ' + path})
            return self.reply(socket_id, {'error_code': 500, 'error_message': 'not found'})
        threading.Thread(target=self.stream, args=(place, wanted, socket_id, keys if path == '' else []), daemon=True).start()

    def info(self, place, depth, hidden):
        status = os.lstat(place)
        known = {'name': os.path.basename(place), 'size': status.st_size, 'perm': status.st_mode & 0o777, 'type': ''}
        if os.path.islink(place):
            known.update(type='link', link=os.readlink(place))
        elif os.path.isfile(place):
            known['type'] = 'file'
        elif os.path.isdir(place):
            known['type'] = 'directory'
            if depth > 0:
                names = [name for name in sorted(os.listdir(place)) if name not in hidden]
                known['contents'] = [self.info(os.path.join(place, name), depth - 1, []) for name in names]
        return known

    def stream(self, place, wanted, socket_id, hidden):
        kind = wanted['type']
        try:
            if kind == 'stream_directory':
                left = ['--exclude=./' + name for name in hidden]
                content = subprocess.run(['tar', 'czf', '-', '-C', place, *left, '.'], capture_output=True).stdout
                return self.reply_data(socket_id, content, stream=True)
            with open(place, 'rb') as file:
                content = file.read()
            if kind == 'stream_file':
                return self.reply_data(socket_id, gzip.compress(content), stream=True)
            if kind == 'read_file_section':
                content = content[wanted['offset'] : wanted['offset'] + wanted['length']]
            elif kind == 'summarize_file':
                content = b'\n'.join(content.splitlines()[: wanted['num_head_lines'] + wanted['num_tail_lines']]) + b'\n'
            self.reply_data(socket_id, gzip.compress(content))
        except Exception as error:
            log('reply', error)

    def listen(self):
        """The channel that says "check in now"; it dies for good when it cannot connect."""
        url = urllib.parse.urlsplit(rest.server)
        connection = socket.create_connection((url.hostname, url.port))
        key = base64.b64encode(os.urandom(16)).decode()
        connection.sendall((
            'GET /ws/worker/%s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
            'Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n' % (args.id, url.netloc, key)
        ).encode())  # fmt: skip
        stream = connection.makefile('rb')
        assert b' 101 ' in stream.readline()
        while stream.readline() != b'\r\n':
            pass
        log('listening')
        connection.sendall(frame(1, b'a'))
        while True:
            first, second = stream.read(2)
            length = second & 127
            if length == 126:
                (length,) = struct.unpack('>H', stream.read(2))
            payload = stream.read(length)
            if first & 15 == 9:
                connection.sendall(frame(10, payload))
            elif first & 15 == 1:
                self.wake.set()
                connection.sendall(frame(1, b'a'))
            elif first & 15 == 8:
                return

    def work(self):
        rest.access()
        if not args.no_web_socket:
            threading.Thread(target=self.quietly_listen, daemon=True).start()
        began = False
        while True:
            try:
                self.checkin()
                if not began:
                    log('Worker started!')
                    began = True
            except OSError as error:
                if isinstance(error, urllib.error.HTTPError) and '/checkin' not in error.url:
                    raise Sleep('%s %d %s' % (error.url, error.code, reason_of(error)))
                log('check-in', reason_of(error))
                time.sleep(1)
            self.wake.wait(args.checkin_frequency_seconds)
            self.wake.clear()

    def quietly_listen(self):
        try:
            self.listen()
        except Exception as error:
            log('no wake-ups any more:', error)


def frame(kind, payload):
    mask = os.urandom(4)
    masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
    return bytes([128 | kind, 128 | len(payload)]) + mask + masked


try:
    Worker().work()
except Exception:
    log('SLEEP', traceback.format_exc())
    os._exit(60)
