import { useEffect, useState } from 'react';

function JobProgress({ jobId }) {
    const [progress, setProgress] = useState(0);
    const [status, setStatus] = useState('');
    const [connectionId, setConnectionId] = useState(null);

    useEffect(() => {
        // Connect to SSE
        const eventSource = new EventSource('http://localhost:8000/api/v1/sse/connect');

        eventSource.addEventListener('connected', async (e) => {
            const data = JSON.parse(e.data);
            setConnectionId(data.connectionId);
            
            // Subscribe to job
            await fetch(
                `http://localhost:8000/api/v1/sse/${data.connectionId}/subscribe/job/${jobId}`,
                { method: 'POST' }
            );
        });

        eventSource.addEventListener('job_update', (e) => {
            const data = JSON.parse(e.data);
            setProgress(data.progress);
            setStatus(data.message);
        });

        eventSource.onerror = (error) => {
            console.error('SSE error:', error);
        };

        // Cleanup
        return () => {
            if (connectionId) {
                fetch(
                    `http://localhost:8000/api/v1/sse/${connectionId}/unsubscribe/job/${jobId}`,
                    { method: 'POST' }
                );
            }
            eventSource.close();
        };
    }, [jobId]);

    return (
        <div>
            <div className="progress-bar">
                <div style={{ width: `${progress}%` }}>{progress}%</div>
            </div>
            <p>{status}</p>
        </div>
    );
}
